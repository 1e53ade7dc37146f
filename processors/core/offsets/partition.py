"""A partition's pending records, and the frontier up to which its offsets may be committed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

from processors.core.offsets.unannounced import UnannouncedDevices
from processors.core.windowing.device_stream import DeviceStream
from schemas.chunk import Chunk
from schemas.topics import AUDIO
from schemas.unfinished import MAX_CHUNKS, UnfinishedSegment

T = TypeVar("T")

HOLD_MS = 5_000
"""A device that holds the frontier back for longer, by the broker's clock, has its unfinished segment stored."""
HOLD_RECORDS = 10_000
"""And one that holds back more records: each of them occupies memory until it is released."""
MAX_STORED = 10_000
"""Stored segments of a partition that are held in memory, of some 1 to 2 kB each; beyond, the oldest are given up."""
IDLE_MS = 300_000
"""The stream of a device that has sent nothing for longer leaves the memory."""


@dataclass(slots=True)
class TrackedDevice:
    """A device seen in a partition.

    Attributes:
        stream: of its chunks.
        last_ms: broker time of its latest record, milliseconds since 1970.
        covered: last record that its stored unfinished segment names; -1 where none is stored.
        holds: oldest record that a pending window needs and the stored segment does not name; None for none.
        size_bytes: of its stream.
    """

    stream: DeviceStream
    last_ms: int
    covered: int = -1
    holds: int | None = None
    size_bytes: int = 0


@dataclass(slots=True)
class Partition(Generic[T]):
    """Records in offset order until they are released, and the devices seen in them.

    ``T`` is what the caller acknowledges for a released record. The cost of a batch grows with the devices in it, not
    with those in the partition.

    Args:
        number: of the partition.

    Attributes:
        devices: by device id, the one longest silent first.
        unfinished: the newest stored segment of each device, the oldest first.
        given_up: segments given up, because their pending windows need more than :data:`MAX_CHUNKS` chunks.
        broker_ms: newest broker time, milliseconds since 1970.
        size_bytes: of the streams in memory.
        unannounced: the devices without a manifest.
    """

    number: int = 0
    devices: dict[str, TrackedDevice] = field(default_factory=dict)
    unfinished: dict[str, UnfinishedSegment] = field(default_factory=dict)
    given_up: int = 0
    broker_ms: int = 0
    size_bytes: int = 0
    unannounced: UnannouncedDevices = field(default_factory=UnannouncedDevices)
    _timestamps_ms: dict[int, int] = field(default_factory=dict)
    _pending: deque[tuple[int, T]] = field(default_factory=deque)
    _holds: list[tuple[int, str]] = field(default_factory=list)
    _changed: set[str] = field(default_factory=set)
    _dropped: list[DeviceStream] = field(default_factory=list)
    _leaving: set[str] = field(default_factory=set)
    _head: int = -1

    @property
    def pending(self) -> int:
        """Records that are not released."""
        return len(self._pending)

    @property
    def lag_ms(self) -> int:
        """From the oldest record that is not released to the newest taken, by the broker's clock, milliseconds."""
        return self.broker_ms - self._timestamps_ms[self._pending[0][0]] if self._pending else 0

    def append(self, offset: int, timestamp_ms: int, item: T) -> None:
        """Takes the next record."""
        self._pending.append((offset, item))
        self.broker_ms = max(self.broker_ms, timestamp_ms)
        self._timestamps_ms[offset] = self.broker_ms
        self._head = offset

    def track(self, stream: DeviceStream, timestamp_ms: int) -> None:
        """Records that a device sent a record, which the caller pushes into the stream before :meth:`release`."""
        device = self.devices.pop(stream.device_id, None)
        if device is None or device.stream is not stream:
            size_bytes = 0
            if device is not None:
                size_bytes = device.size_bytes
                device.stream.close("new_manifest")
                self._dropped.append(device.stream)
            device = TrackedDevice(stream, timestamp_ms, size_bytes=size_bytes)
        device.last_ms = timestamp_ms
        self.devices[stream.device_id] = device
        self._changed.add(stream.device_id)

    def take_dropped(self) -> list[DeviceStream]:
        """Streams dropped since the last call, their segments closed."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def stream(self, device_id: str) -> DeviceStream | None:
        """A device's stream; None when it is new or has left the memory."""
        device = self.devices.get(device_id)
        return None if device is None else device.stream

    def restore(self, segment: UnfinishedSegment) -> None:
        """Takes a stored segment, as the log of them is read; the one that names the latest record counts."""
        known = self.unfinished.get(segment.device_id)
        if segment.partition == self.number and (known is None or segment.last_offset >= known.last_offset):
            self.unfinished.pop(segment.device_id, None)
            self.unfinished[segment.device_id] = segment
            if len(self.unfinished) > MAX_STORED:
                del self.unfinished[next(iter(self.unfinished))]

    def continued(self, chunk: Chunk, offset: int) -> list[int]:
        """The records to read again, in order, before a chunk whose device has no stream in memory.

        Args:
            chunk: the device's next.
            offset: of its record.

        Returns:
            None of them where the chunk does not continue the stored segment: the session went on past it, or ended.
        """
        segment = self.unfinished.get(chunk.device_id)
        if segment is None or segment.session_id != chunk.session_id or chunk.first_sample > segment.end_sample:
            return []
        return [needed for needed in segment.offsets if needed < offset]

    def cover(self, device_id: str, offset: int) -> None:
        """Marks a device whose stored segment was read again: as far as ``offset``, its records are named there."""
        segment, device = self.unfinished.get(device_id), self.devices.get(device_id)
        if segment is not None and device is not None and segment.last_offset < offset:
            device.covered = segment.last_offset

    def overdue(self, quiet_ms: int = 0) -> list[UnfinishedSegment]:
        """Segments to store, so that the frontier can pass their devices; see :meth:`store`.

        Args:
            quiet_ms: time since the newest record was taken, milliseconds.
        """
        self._refresh()
        entries: list[tuple[int, str]] = []
        found: list[UnfinishedSegment] = []
        while (held := self._frontier()) is not None and self._is_overdue(held, self.broker_ms + quiet_ms):
            entries.append(heappop(self._holds))
            device_id = entries[-1][1]
            if (segment := self._unfinished(self.devices[device_id])) is None:
                # Its next chunk begins a new segment.
                self._drop(device_id, "given_up")
                self.given_up += 1
            else:
                found.append(segment)
        for entry in entries:
            heappush(self._holds, entry)
        named = {segment.device_id for segment in found}
        for device_id in self._leaving - named:
            device = self.devices[device_id]
            if device.holds is not None and (segment := self._unfinished(device)) is not None:
                found.append(segment)
        return found

    def shrink(self, size_bytes: int) -> None:
        """Lets the streams longest silent, of that size together, leave the memory with the next :meth:`release`."""
        for device_id, device in self.devices.items():
            if size_bytes <= 0:
                break
            self._leaving.add(device_id)
            size_bytes -= device.size_bytes

    def store(self, segment: UnfinishedSegment) -> None:
        """Takes an unfinished segment that Kafka has confirmed."""
        self.restore(segment)
        device = self.devices[segment.device_id]
        device.covered = segment.last_offset
        self._changed.add(segment.device_id)

    @property
    def oldest_ms(self) -> int | None:
        """Broker time of the oldest record that is not released, milliseconds since 1970; None without one."""
        return self._timestamps_ms[self._pending[0][0]] if self._pending else None

    def release(self) -> list[T]:
        """Removes and returns the records below the frontier, in offset order."""
        self._refresh()
        self._drop_idle()
        frontier = self._frontier()
        released = []
        while self._pending and (frontier is None or self._pending[0][0] < frontier):
            offset, item = self._pending.popleft()
            del self._timestamps_ms[offset]
            released.append(item)
        return released

    def _refresh(self) -> None:
        """Notes what the devices of the last batch hold back now."""
        for device_id in self._changed:
            device = self.devices.get(device_id)
            segment = None if device is None else device.stream.segment
            if device is None or segment is None:
                continue
            holds = segment.frontier(device.covered)
            if holds is not None and holds != device.holds:
                heappush(self._holds, (holds, device_id))
            device.holds = holds
            self.size_bytes += segment.size_bytes - device.size_bytes
            device.size_bytes = segment.size_bytes
        self._changed.clear()

    def _frontier(self) -> int | None:
        """The oldest record that any device holds back; drops what no longer holds."""
        while self._holds:
            offset, device_id = self._holds[0]
            device = self.devices.get(device_id)
            if device is not None and device.holds == offset:
                return offset
            heappop(self._holds)
        return None

    def _is_overdue(self, offset: int, now_ms: int) -> bool:
        # A record that was read again from before the frontier is not pending.
        since = self._timestamps_ms.get(offset, 0)
        return now_ms - since > HOLD_MS or self._head - offset > HOLD_RECORDS

    def _unfinished(self, device: TrackedDevice) -> UnfinishedSegment | None:
        segment = device.stream.segment
        offsets = () if segment is None else segment.needed_offsets()
        if segment is None or not 0 < len(offsets) <= MAX_CHUNKS:
            return None
        return UnfinishedSegment.of(
            device_id=device.stream.device_id,
            session_id=segment.session_id,
            partition=self.number,
            offsets=offsets,
            end_sample=segment.end_sample,
            broker_ms=device.last_ms,
        )

    def _drop(self, device_id: str, reason: str) -> None:
        device = self.devices.pop(device_id)
        device.stream.close(reason)
        self._dropped.append(device.stream)
        self.size_bytes -= device.size_bytes
        self._leaving.discard(device_id)

    def _drop_idle(self) -> None:
        """Drops the streams longest silent, and the stored segments whose sound Kafka has deleted."""
        for device_id in [device_id for device_id in self._leaving if self.devices[device_id].holds is None]:
            self._drop(device_id, "memory")
        self._leaving.clear()
        while self.devices:
            device_id, device = next(iter(self.devices.items()))
            if self.broker_ms - device.last_ms <= IDLE_MS or device.holds is not None:
                break
            self._drop(device_id, "silence")
        while self.unfinished:
            device_id, segment = next(iter(self.unfinished.items()))
            if self.broker_ms - segment.broker_ms <= AUDIO.retention_ms:
                break
            del self.unfinished[device_id]
