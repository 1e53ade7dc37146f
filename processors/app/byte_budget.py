"""The byte budget: how much sound a worker takes from Kafka before it has handled what it has."""

from __future__ import annotations

import asyncio
from typing import Any

_OVERHEAD_BYTES = 1_024
"""Of a record's objects, so that many small records are bounded as well."""


def bytes_of(message: Any) -> int:
    """What a fetched record occupies, by Faust's message of it."""
    headers = sum(len(name) + len(value or b"") for name, value in message.headers or ())
    return len(message.key or b"") + len(message.value or b"") + headers + _OVERHEAD_BYTES


class ByteBudget:
    """Counts the bytes of records between the fetch and the end of their batch.

    Args:
        limit: most bytes; one record alone is taken whatever its size.

    Attributes:
        limit: see there.
        used: bytes now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._released = asyncio.Event()

    def has_room(self, size: int) -> bool:
        """Whether a record of ``size`` bytes may be taken."""
        return not self.used or self.used + size <= self.limit

    def take(self, size: int) -> None:
        """Counts a record."""
        self.used += size

    def release(self, size: int) -> None:
        """A record was handled."""
        # At a rebalance records of both assignments are under way: the count begins anew, and some come too many.
        self.used = max(0, self.used - size)
        self._released.set()

    def reset(self) -> None:
        """All records under way are dropped: they are read again."""
        self.used = 0
        self._released.set()

    async def wait_for_room(self, size: int) -> None:
        """Returns once a record of ``size`` bytes may be taken."""
        while not self.has_room(size):
            self._released.clear()
            await self._released.wait()
