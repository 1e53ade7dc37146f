"""A partition's pending records, and the frontier up to which its offsets may be committed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from processors.core.windowing.device_stream import DeviceStream

T = TypeVar("T")

IDLE_MS = 300_000
"""A device that holds offsets back for longer, by the broker's clock, is dropped; then a new segment begins."""


@dataclass(slots=True)
class TrackedDevice:
    """A device seen in a partition.

    Attributes:
        stream: of its chunks.
        last_ms: broker time of its latest record, milliseconds since 1970.
    """

    stream: DeviceStream
    last_ms: int


@dataclass(slots=True)
class Partition(Generic[T]):
    """Records in offset order until they are released, and the devices seen in them.

    ``T`` is what the caller acknowledges for a released record.

    Attributes:
        devices: by device id.
    """

    devices: dict[str, TrackedDevice] = field(default_factory=dict)
    _timestamps_ms: dict[int, int] = field(default_factory=dict)
    _pending: deque[tuple[int, T]] = field(default_factory=deque)
    _broker_ms: int = 0

    def append(self, offset: int, timestamp_ms: int, item: T) -> None:
        """Takes the next record."""
        self._pending.append((offset, item))
        self._timestamps_ms[offset] = timestamp_ms
        self._broker_ms = max(self._broker_ms, timestamp_ms)

    def track(self, stream: DeviceStream, timestamp_ms: int) -> None:
        """Records that a device sent a record."""
        self.devices[stream.device_id] = TrackedDevice(stream, timestamp_ms)

    def stream(self, device_id: str, timestamp_ms: int) -> DeviceStream | None:
        """A device's stream; None when it is new or was idle for longer than :data:`IDLE_MS`."""
        device = self.devices.get(device_id)
        if device is None or timestamp_ms - device.last_ms > IDLE_MS:
            return None
        return device.stream

    def release(self) -> list[T]:
        """Removes and returns the records below the frontier, in offset order."""
        for device_id in [device_id for device_id, device in self.devices.items() if self._is_idle(device)]:
            del self.devices[device_id]
        needed = (_oldest_needed(device) for device in self.devices.values())
        frontier = min((offset for offset in needed if offset is not None), default=None)
        released = []
        while self._pending and (frontier is None or self._pending[0][0] < frontier):
            offset, item = self._pending.popleft()
            del self._timestamps_ms[offset]
            released.append(item)
        return released

    def _is_idle(self, device: TrackedDevice) -> bool:
        """Whether it sent nothing for too long, or its oldest chunk has waited that long to complete a window."""
        oldest = _oldest_needed(device)
        since = device.last_ms if oldest is None else self._timestamps_ms.get(oldest, device.last_ms)
        return self._broker_ms - since > IDLE_MS


def _oldest_needed(device: TrackedDevice) -> int | None:
    segment = device.stream.segment
    return None if segment is None else segment.frontier()
