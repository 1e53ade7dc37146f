"""A partition's ledger: which records are done, and the frontier up to which they may be committed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from processors.core.windowing.device_stream import DeviceStream

T = TypeVar("T")

IDLE_MS = 300_000
"""What a device holds back for so long, by the broker's clock, is let go; it begins a new segment with what comes."""


@dataclass(slots=True)
class Member:
    """A device in a partition.

    Attributes:
        stream: its stream.
        last_ms: broker time of its latest record, milliseconds since 1970.
    """

    stream: DeviceStream
    last_ms: int


@dataclass(slots=True)
class Partition(Generic[T]):
    """Records in offset order until they are released, and the devices seen in them.

    ``T`` is whatever the caller must acknowledge.
    """

    members: dict[str, Member] = field(default_factory=dict)
    _times: dict[int, int] = field(default_factory=dict)
    _pending: deque[tuple[int, T]] = field(default_factory=deque)
    _clock_ms: int = 0

    def append(self, offset: int, timestamp_ms: int, item: T) -> None:
        """Takes the next record."""
        self._pending.append((offset, item))
        self._times[offset] = timestamp_ms
        self._clock_ms = max(self._clock_ms, timestamp_ms)

    def seen(self, stream: DeviceStream, timestamp_ms: int) -> None:
        """Notes a device's record."""
        self.members[stream.device_id] = Member(stream, timestamp_ms)

    def stream(self, device_id: str, timestamp_ms: int) -> DeviceStream | None:
        """A device's stream; None when it is new or was silent for longer than :data:`IDLE_MS`."""
        member = self.members.get(device_id)
        if member is None or timestamp_ms - member.last_ms > IDLE_MS:
            return None
        return member.stream

    def release(self) -> list[T]:
        """Records below the frontier, in offset order; they are forgotten here."""
        for name in [name for name, member in self.members.items() if self._is_idle(member)]:
            del self.members[name]
        held = (_frontier(member) for member in self.members.values())
        frontier = min((offset for offset in held if offset is not None), default=None)
        released = []
        while self._pending and (frontier is None or self._pending[0][0] < frontier):
            offset, item = self._pending.popleft()
            del self._times[offset]
            released.append(item)
        return released

    def _is_idle(self, member: Member) -> bool:
        """Silent for too long, or so slow that its oldest chunk has waited that long for the next window."""
        oldest = _frontier(member)
        since = member.last_ms if oldest is None else self._times.get(oldest, member.last_ms)
        return self._clock_ms - since > IDLE_MS


def _frontier(member: Member) -> int | None:
    segment = member.stream.segment
    return None if segment is None else segment.frontier()
