"""A device's last sound as unbroken runs, without what alerts cast doubt on."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.chunk import Chunk
from tocsin.client.audio import ReplayedChunk
from trainers.recipes.knn.data import ContinuousAudio

_SECOND_NS = 1_000_000_000

Span = tuple[int, int]
"""First and last nanosecond since 1970, by the device's clock."""


@dataclass(frozen=True, slots=True)
class OwnSound:
    """What was read back of a device.

    Attributes:
        runs: unbroken, in order of time.
        heard_s: seconds that were there.
        doubtful_s: seconds of them left out around alerts.
        first_ns, last_ns: when the runs begin and end, nanoseconds since 1970; 0 without runs.
    """

    runs: tuple[ContinuousAudio, ...]
    heard_s: float
    doubtful_s: float
    first_ns: int
    last_ns: int

    @property
    def seconds(self) -> float:
        """Length of the runs together."""
        return sum(run.seconds for run in self.runs)


class Recorder:
    """Keeps the last seconds of what is played back, chunk by chunk.

    A chunk that touches a doubtful span is left out whole, and what follows begins a new run: windows never reach
    across.

    Args:
        seconds: how much to keep; older chunks are forgotten as newer ones come.
        doubtful: spans to leave out.
    """

    def __init__(self, seconds: float, doubtful: Sequence[Span]) -> None:
        self._seconds = seconds
        self._doubtful = tuple(doubtful)
        self._kept: deque[tuple[Chunk, bool]] = deque()
        self._kept_s = self._heard_s = self._doubtful_s = 0.0
        self._breaks = True

    @property
    def full(self) -> bool:
        """Whether as much is kept as was asked for."""
        return self._kept_s >= self._seconds

    def take(self, played: ReplayedChunk) -> None:
        """Takes the next chunk of the device."""
        chunk = played.chunk
        length = chunk.n_samples / chunk.sample_rate
        self._heard_s += length
        if self._is_doubtful(chunk):
            self._doubtful_s += length
            self._breaks = True
            return
        self._kept.append((chunk, played.begins or self._breaks))
        self._breaks = False
        self._kept_s += length
        while self._kept_s - _seconds_of(self._kept[0][0]) >= self._seconds:
            self._kept_s -= _seconds_of(self._kept.popleft()[0])

    def sound(self) -> OwnSound:
        """What has been kept."""
        parts: list[list[Chunk]] = []
        for chunk, begins in self._kept:
            if begins or not parts:
                parts.append([])
            parts[-1].append(chunk)
        first, last = (self._kept[0][0], self._kept[-1][0]) if self._kept else (None, None)
        return OwnSound(
            runs=tuple(_run(chunks) for chunks in parts),
            heard_s=self._heard_s,
            doubtful_s=self._doubtful_s,
            first_ns=0 if first is None else first.captured_ns,
            last_ns=0 if last is None else _end_ns(last),
        )

    def _is_doubtful(self, chunk: Chunk) -> bool:
        return any(begin < _end_ns(chunk) and chunk.captured_ns <= end for begin, end in self._doubtful)


def _run(chunks: Sequence[Chunk]) -> ContinuousAudio:
    samples = np.concatenate([chunk.samples() for chunk in chunks])
    return ContinuousAudio(samples, chunks[0].sample_rate, hashlib.sha256(samples.tobytes()).hexdigest())


def _seconds_of(chunk: Chunk) -> float:
    return chunk.n_samples / chunk.sample_rate


def _end_ns(chunk: Chunk) -> int:
    return chunk.captured_ns + chunk.n_samples * _SECOND_NS // chunk.sample_rate
