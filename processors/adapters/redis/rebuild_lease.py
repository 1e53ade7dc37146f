"""Who rebuilds lost states: one worker at a time, and nobody for long who does not live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio.lock import Lock

from schemas.errors import RedisUnavailable

LEASE_S = 15
"""So long after its holder's last sign of life a claim is free again."""
_RENEW_S = 4.0


@asynccontextmanager
async def held(lock: Lock, bounded: Callable[[Awaitable[Any]], Awaitable[Any]]) -> AsyncIterator[bool]:
    """Holds a lock for as long as the block lasts, however long: its lease is renewed, and it is free afterwards.

    A lease that runs out all the same, with Redis away, lets another worker rebuild too: that costs time only, for
    what stands in the store is never replaced.

    Args:
        lock: with a timeout of :data:`LEASE_S`, not blocking.
        bounded: awaits a call to Redis, not too long.

    Yields:
        Whether the caller has it; False where another does.

    Raises:
        RedisUnavailable: Redis does not answer when it is asked for.
    """
    if not await bounded(lock.acquire()):
        yield False
        return
    renewing = asyncio.create_task(_renew(lock, bounded))
    try:
        yield True
    finally:
        renewing.cancel()
        with suppress(RedisUnavailable):
            await bounded(lock.release())


async def _renew(lock: Lock, bounded: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
    while True:
        await asyncio.sleep(_RENEW_S)
        with suppress(RedisUnavailable):
            await bounded(lock.reacquire())
