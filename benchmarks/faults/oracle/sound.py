"""The sound of a run: unbroken stretches of each session, as the audio topic's records say, and the records that are
not sound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.faults.oracle.chunk_record import Chunk, read_chunk
from benchmarks.faults.oracle.evidence import Message

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(slots=True)
class Stretch:
    """Consecutive chunks of one session.

    Attributes:
        device, session: ids.
        rate: Hz.
        chunks: without repeats, in order; each begins where the one before ended.
    """

    device: str
    session: str
    rate: int
    chunks: list[Chunk]

    @property
    def first(self) -> int:
        """Its first sample."""
        return self.chunks[0].first

    @property
    def end(self) -> int:
        """One past its last sample."""
        return self.chunks[-1].end

    def holding(self, sample: int) -> Chunk:
        """The chunk with a sample; the first or last where the sample lies outside."""
        low, high = 0, len(self.chunks) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.chunks[middle].first <= sample else (low, middle - 1)
        return self.chunks[low]


@dataclass(slots=True)
class Sound:
    """Everything on the audio topic.

    Attributes:
        stretches: in the order in which they begin.
        broken: records that are no chunk of a session, by place, with the reason.
        repeats: chunks that were sent again.
        sessions: by device, in the order in which they begin.
    """

    stretches: list[Stretch] = field(default_factory=list)
    broken: dict[Place, str] = field(default_factory=dict)
    repeats: int = 0
    sessions: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def read_sound(audio: Sequence[Message]) -> Sound:
    """Sorts the records of the audio topic, each session by itself.

    Args:
        audio: in order within each partition.
    """
    sound = Sound()
    current: dict[tuple[str, str], Stretch] = {}
    for message in sorted(audio, key=lambda one: (one.partition, one.offset)):
        chunk = read_chunk(message)
        if isinstance(chunk, str):
            sound.broken[message.partition, message.offset] = chunk
            continue
        key = (chunk.device, chunk.session)
        known = current.get(key)
        if known is None:
            sound.sessions[chunk.device].append(chunk.session)
            current[key] = _begin(sound, chunk)
            continue
        last = known.chunks[-1]
        if chunk.sequence <= last.sequence:
            sound.repeats += 1
        elif chunk.rate != known.rate or chunk.channels != last.channels or chunk.first < last.end:
            sound.broken[message.partition, message.offset] = "does not fit its session"
        elif chunk.first > last.end:
            current[key] = _begin(sound, chunk)
        else:
            known.chunks.append(chunk)
    return sound


def _begin(sound: Sound, chunk: Chunk) -> Stretch:
    stretch = Stretch(chunk.device, chunk.session, chunk.rate, [chunk])
    sound.stretches.append(stretch)
    return stretch
