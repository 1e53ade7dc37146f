"""Chunk spans: which chunk of an unbroken run holds a sample, once the chunk's audio is gone."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

from schemas.chunk import Chunk

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """A chunk without its audio.

    Attributes:
        first_sample, end_sample: its samples in the session, ``end_sample`` excluded.
        captured_ns: capture time of its first sample, nanoseconds since 1970.
        offset: of its record in the audio topic.
        regime: the operating regime its producer reported; "" for none.
    """

    first_sample: int
    end_sample: int
    captured_ns: int
    offset: int
    regime: str


class ChunkSpans:
    """The chunks of an unbroken run of one session, from the oldest one still needed.

    Args:
        device_id, session_id: of the chunks.
        sample_rate: of the device, Hz.
    """

    def __init__(self, device_id: str, session_id: str, sample_rate: int) -> None:
        self.device_id = device_id
        self.session_id = session_id
        self.sample_rate = sample_rate
        self._spans: deque[ChunkSpan] = deque()

    def __len__(self) -> int:
        return len(self._spans)

    def offsets(self) -> tuple[int, ...]:
        """Of the chunks, in order."""
        return tuple(span.offset for span in self._spans)

    def offset_after(self, offset: int) -> int | None:
        """Offset of the oldest chunk after ``offset``; None when there is none."""
        if not self._spans or self._spans[-1].offset <= offset:
            return None
        return self._spans[bisect_right(self._spans, offset, key=lambda span: span.offset)].offset

    def append(self, chunk: Chunk, offset: int) -> None:
        """Adds the next chunk; it begins where the previous one ended."""
        self._spans.append(ChunkSpan(chunk.first_sample, chunk.end_sample, chunk.captured_ns, offset, chunk.regime))

    def at(self, sample: int) -> ChunkSpan:
        """The chunk that holds ``sample``; the first or last chunk where ``sample`` is outside of the run."""
        return self._spans[max(0, bisect_right(self._spans, sample, key=lambda span: span.first_sample) - 1)]

    def captured_ns(self, sample: int) -> int:
        """Capture time of ``sample``, nanoseconds since 1970."""
        span = self.at(sample)
        return span.captured_ns + (sample - span.first_sample) * _SECOND_NS // self.sample_rate

    def drop_before(self, sample: int) -> None:
        """Drops the chunks that end at or before ``sample``."""
        while self._spans and self._spans[0].end_sample <= sample:
            self._spans.popleft()
