"""Cuts what was played back into clips on each session's grid."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from schemas.chunk import Chunk
from tocsin.capture.clip import Clip
from tocsin.client.audio import ReplayedChunk


@dataclass(frozen=True, slots=True)
class _Held:
    first_sample: int
    end_sample: int
    captured_ns: int
    offset: int


@dataclass(slots=True)
class _Run:
    """An unbroken run of a device's chunks: those that the next clip needs, without their sound."""

    next_clip: int
    held: deque[_Held] = field(default_factory=deque)


class Clipper:
    """Clips of one partition's devices.

    Args:
        clip_ms: length of a clip, milliseconds; whole samples of it are taken.
    """

    def __init__(self, clip_ms: int) -> None:
        self._clip_ms = clip_ms
        self._runs: dict[str, _Run] = {}

    def take(self, played: ReplayedChunk) -> list[Clip]:
        """The clips that a chunk completes, in order."""
        chunk = played.chunk
        length = max(1, self._clip_ms * chunk.sample_rate // 1_000)
        if played.begins:
            self._runs[chunk.device_id] = _Run(-(-chunk.first_sample // length))
        run = self._runs[chunk.device_id]
        run.held.append(_Held(chunk.first_sample, chunk.end_sample, chunk.captured_ns, played.offset))
        clips = []
        while (run.next_clip + 1) * length <= chunk.end_sample:
            clips.append(self._clip(run, chunk, length, played.partition))
            run.next_clip += 1
        while run.held and run.held[0].end_sample <= run.next_clip * length:
            run.held.popleft()
        return clips

    @staticmethod
    def _clip(run: _Run, chunk: Chunk, length: int, partition: int) -> Clip:
        first = run.next_clip * length
        # Clips of one chunk share what is held; what lies before this one is passed over.
        within = [held for held in run.held if held.end_sample > first and held.first_sample < first + length]
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
