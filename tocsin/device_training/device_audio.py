"""A device's latest sound as continuous runs, without the sound around alerts."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.chunk import Chunk
from tocsin.client.audio_reader import ReplayedChunk
from trainers.recipes.knn.data import ContinuousAudio

_SECOND_NS = 1_000_000_000

Span = tuple[int, int]
"""First and last nanosecond since 1970, by the device's clock."""


@dataclass(frozen=True, slots=True)
class DeviceAudio:
    """Sound of a device read back from the topic.

    Attributes:
        runs: continuous sound, in order of time.
        observed_s: seconds read.
        excluded_s: seconds of them left out around alerts.
        first_ns, last_ns: begin of the first and end of the last run, nanoseconds since 1970; 0 without runs.
    """

    runs: tuple[ContinuousAudio, ...]
    observed_s: float
    excluded_s: float
    first_ns: int
    last_ns: int

    @property
    def seconds(self) -> float:
        """Total length of the runs."""
        return sum(run.seconds for run in self.runs)


class Recorder:
    """Collects the last seconds of replayed sound, chunk by chunk.

    A chunk that overlaps an excluded span is left out as a whole, and the next one starts a new run: no window spans
    the gap.

    Args:
        seconds: amount to keep; newer chunks replace older ones.
        excluded: spans to leave out.
    """

    def __init__(self, seconds: float, excluded: Sequence[Span]) -> None:
        self._seconds = seconds
        self._excluded = tuple(excluded)
        self._chunks: deque[tuple[Chunk, bool]] = deque()
        self._buffered_s = self._observed_s = self._excluded_s = 0.0
        self._new_run = True

    @property
    def full(self) -> bool:
        """Whether the requested amount is buffered."""
        return self._buffered_s >= self._seconds

    def add(self, replayed: ReplayedChunk) -> None:
        """Adds the next chunk of the device."""
        chunk = replayed.chunk
        length = chunk.n_samples / chunk.sample_rate
        self._observed_s += length
        if self._is_excluded(chunk):
            self._excluded_s += length
            self._new_run = True
            return
        self._chunks.append((chunk, replayed.starts_segment or self._new_run))
        self._new_run = False
        self._buffered_s += length
        while self._buffered_s - _seconds_of(self._chunks[0][0]) >= self._seconds:
            self._buffered_s -= _seconds_of(self._chunks.popleft()[0])

    def audio(self) -> DeviceAudio:
        """The buffered sound."""
        parts: list[list[Chunk]] = []
        for chunk, starts_run in self._chunks:
            if starts_run or not parts:
                parts.append([])
            parts[-1].append(chunk)
        first, last = (self._chunks[0][0], self._chunks[-1][0]) if self._chunks else (None, None)
        return DeviceAudio(
            runs=tuple(_run(chunks) for chunks in parts),
            observed_s=self._observed_s,
            excluded_s=self._excluded_s,
            first_ns=0 if first is None else first.captured_ns,
            last_ns=0 if last is None else _end_ns(last),
        )

    def _is_excluded(self, chunk: Chunk) -> bool:
        return any(begin < _end_ns(chunk) and chunk.captured_ns <= end for begin, end in self._excluded)


def _run(chunks: Sequence[Chunk]) -> ContinuousAudio:
    samples = np.concatenate([chunk.samples() for chunk in chunks])
    return ContinuousAudio(samples, chunks[0].sample_rate, hashlib.sha256(samples.tobytes()).hexdigest())


def _seconds_of(chunk: Chunk) -> float:
    return chunk.n_samples / chunk.sample_rate


def _end_ns(chunk: Chunk) -> int:
    return chunk.captured_ns + chunk.n_samples * _SECOND_NS // chunk.sample_rate
