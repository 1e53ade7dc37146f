"""Cuts replayed chunks into clips on each session's grid."""

from __future__ import annotations

from dataclasses import dataclass

from processors.core.windowing.chunk_spans import ChunkSpans
from schemas.chunk import Chunk
from tocsin.capture.clip import Clip
from tocsin.client.audio_reader import ReplayedChunk


@dataclass(slots=True)
class _ContinuousRun:
    """A run of a device's chunks without a gap: the spans that the next clip needs, without their audio."""

    next_clip: int
    chunks: ChunkSpans


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
            spans = ChunkSpans(chunk.device_id, chunk.session_id, chunk.sample_rate)
            self._runs[chunk.device_id] = _ContinuousRun(-(-chunk.first_sample // length), spans)
        run = self._runs[chunk.device_id]
        run.chunks.append(chunk, replayed.offset)
        clips = []
        while (run.next_clip + 1) * length <= chunk.end_sample:
            clips.append(self._clip(run, chunk, length, replayed.partition))
            run.next_clip += 1
        run.chunks.drop_before(run.next_clip * length)
        return clips

    @staticmethod
    def _clip(run: _ContinuousRun, chunk: Chunk, length: int, partition: int) -> Clip:
        first = run.next_clip * length
        return Clip(
            device_id=chunk.device_id,
            session_id=chunk.session_id,
            first_sample=first,
            n_samples=length,
            sample_rate=chunk.sample_rate,
            channels=chunk.channels,
            captured_ns=run.chunks.captured_ns(first),
            partition=partition,
            first_offset=run.chunks.at(first).offset,
            last_offset=run.chunks.at(first + length - 1).offset,
        )
