"""Cuts replayed chunks into clips on each session's grid."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from schemas.chunk import Chunk
from tocsin.capture.clip import Clip
from tocsin.client.audio_reader import ReplayedChunk


@dataclass(frozen=True, slots=True)
class _ChunkSpan:
    first_sample: int
    end_sample: int
    captured_ns: int
    offset: int


@dataclass(slots=True)
class _ContinuousRun:
    """A run of a device's chunks without a gap: the spans that the next clip needs, without their sound."""

    next_clip: int
    spans: deque[_ChunkSpan] = field(default_factory=deque)


class Clipper:
    """Clips of one partition's devices.

    Args:
        clip_ms: length of a clip, milliseconds; rounded down to whole samples.
    """

    def __init__(self, clip_ms: int) -> None:
        self._clip_ms = clip_ms
        self._runs: dict[str, _ContinuousRun] = {}

    def add(self, replayed: ReplayedChunk) -> list[Clip]:
        """The clips that a chunk completes, in order."""
        chunk = replayed.chunk
        length = max(1, self._clip_ms * chunk.sample_rate // 1_000)
        if replayed.starts_segment:
            self._runs[chunk.device_id] = _ContinuousRun(-(-chunk.first_sample // length))
        run = self._runs[chunk.device_id]
        run.spans.append(_ChunkSpan(chunk.first_sample, chunk.end_sample, chunk.captured_ns, replayed.offset))
        clips = []
        while (run.next_clip + 1) * length <= chunk.end_sample:
            clips.append(self._clip(run, chunk, length, replayed.partition))
            run.next_clip += 1
        while run.spans and run.spans[0].end_sample <= run.next_clip * length:
            run.spans.popleft()
        return clips

    @staticmethod
    def _clip(run: _ContinuousRun, chunk: Chunk, length: int, partition: int) -> Clip:
        first = run.next_clip * length
        # Clips of one chunk share the spans; those before this clip are skipped.
        within = [span for span in run.spans if span.end_sample > first and span.first_sample < first + length]
        opening = within[0]
        after_ns = (first - opening.first_sample) * 1_000_000_000 // chunk.sample_rate
        return Clip(
            device_id=chunk.device_id,
            session_id=chunk.session_id,
            first_sample=first,
            n_samples=length,
            sample_rate=chunk.sample_rate,
            channels=chunk.channels,
            captured_ns=opening.captured_ns + after_ns,
            partition=partition,
            first_offset=opening.offset,
            last_offset=within[-1].offset,
        )
