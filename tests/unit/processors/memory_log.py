"""An audio partition and the log of unfinished segments, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.record import Record
from schemas.unfinished import UnfinishedSegment


@dataclass
class MemoryLog:
    """Records of the audio topic's only partition, and the unfinished segments stored beside it.

    Attributes:
        records: by offset; those that the topic has deleted are missing.
        segments: records as they were stored.
        reads: how many records were read again.
    """

    records: dict[int, Record] = field(default_factory=dict)
    segments: list[Record] = field(default_factory=list)
    reads: int = 0

    async def store(self, segments: Sequence[UnfinishedSegment]) -> None:
        self.segments += [segment.to_record() for segment in segments]

    async def load(self, partitions: Sequence[int]) -> list[UnfinishedSegment]:
        found = [UnfinishedSegment.from_record(record) for record in self.segments]
        return [segment for segment in found if segment.partition in partitions]

    async def read(self, partition: int, offsets: Sequence[int]) -> list[tuple[int, Record]]:  # noqa: ARG002
        self.reads += len(offsets)
        return [(offset, self.records[offset]) for offset in offsets if offset in self.records]
