"""Unfinished segments: what a worker stores of devices that hold commits back, and how their streams continue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import structlog

from processors.core.offsets.partition import Partition
from schemas.chunk import Chunk, decode_chunk
from schemas.errors import ContractError
from schemas.record import Record
from schemas.unfinished import UnfinishedSegment

_log = structlog.get_logger(__name__)
_PIECE = 8

Acknowledge = Callable[[], object]


class UnfinishedLog(Protocol):
    """Stores unfinished segments, and reads audio records again.

    A :class:`processors.adapters.kafka.unfinished_log.KafkaUnfinishedLog`.
    """

    async def store(self, segments: Sequence[UnfinishedSegment]) -> None:
        """Returns once all are stored."""
        ...

    async def load(self, partitions: Sequence[int]) -> list[UnfinishedSegment]:
        """All segments stored for these partitions of the audio topic, in the order of the log."""
        ...

    async def read(self, partition: int, offsets: Sequence[int]) -> list[tuple[int, Record]]:
        """The audio topic's records at these offsets, in order, each with its own; deleted ones are left out."""
        ...


async def open_partitions(
    log: UnfinishedLog, partitions: dict[int, Partition[Acknowledge]], numbers: Sequence[int]
) -> None:
    """Adds the partitions that are new, with the segments stored for them."""
    if new := [number for number in numbers if number not in partitions]:
        opened = {number: Partition[Acknowledge](number) for number in new}
        for segment in await log.load(new):
            if segment.partition in opened:
                opened[segment.partition].restore(segment)
        partitions |= opened


async def read_continued(
    log: UnfinishedLog, partition: Partition[Acknowledge], chunks: Sequence[tuple[int, Chunk]]
) -> AsyncIterator[list[tuple[int, Chunk]]]:
    """The sound that unfinished segments need, for those of the chunks that continue one.

    Args:
        log: see there.
        partition: of the chunks.
        chunks: offset and chunk, in order.

    Yields:
        Offsets and chunks, in order, a few at a time.
    """
    needed: dict[str, list[int]] = {}
    for offset, chunk in chunks:
        if chunk.device_id not in needed and partition.stream(chunk.device_id) is None:
            needed[chunk.device_id] = partition.continued(chunk, offset)
    offsets = sorted({offset for of_device in needed.values() for offset in of_device})
    missing = 0
    for start in range(0, len(offsets), _PIECE):
        wanted = offsets[start : start + _PIECE]
        found = await log.read(partition.number, wanted)
        missing += len(wanted) - len(found)
        yield [
            (offset, sound) for offset, record in found if (sound := _decoded(record)) and needed.get(sound.device_id)
        ]
    if missing:
        _log.warning("sound of unfinished windows is no longer on the audio topic: they are given up", chunks=missing)


def _decoded(record: Record) -> Chunk | None:
    try:
        return decode_chunk(record)
    except ContractError:
        return None  # another topic's positions: it was deleted and created again
