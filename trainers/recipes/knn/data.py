"""Sound of one device in spans without gaps, and their windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, to_mono, windows_of
from schemas.features import FeatureSpec
from trainers.data.recordings import resampled
from trainers.progress import track
from trainers.recipe import Float32

_TAIL_S = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class ContinuousAudio:
    """A span of sound without a gap.

    Attributes:
        samples: int16 PCM or float32 in [-1, 1], shape (n,) or (n, channels).
        sample_rate: Hz.
        digest: sha256 of it, hexadecimal.
    """

    samples: npt.NDArray[np.int16] | Float32
    sample_rate: int
    digest: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True, eq=False)
class AudioWindows:
    """Windows of spans of sound.

    Attributes:
        features: float32 (n, n_frames, width), level-normalised.
        start: int64 (n,), the row each starts at, on one time line on which spans are more than a window apart.
        span: int64 (n,), index of each one's span.
    """

    features: Float32
    start: npt.NDArray[np.int64]
    span: npt.NDArray[np.int64]


def windows_in(spans: Sequence[ContinuousAudio], spec: FeatureSpec) -> AudioWindows:
    """All windows of all spans, in their order."""
    features, starts, indices, first_row = [], [], [], 0
    for index, span in enumerate(track(spans, "computing features")):
        rows = rows_of(span.samples, span.sample_rate, spec)
        windows = windows_of(rows, spec)
        features.append(windows)
        starts.append(first_row + spec.window_hop * np.arange(len(windows), dtype=np.int64))
        indices.append(np.full(len(windows), index, dtype=np.int64))
        first_row += len(rows) + spec.n_frames
    return AudioWindows(np.concatenate(features), np.concatenate(starts), np.concatenate(indices))


def excerpts(spans: Sequence[ContinuousAudio], spec: FeatureSpec, count: int) -> list[ContinuousAudio]:
    """Up to ``count`` excerpts of a window and four seconds at most, evenly spread over the spans."""
    candidates = []
    for span in spans:
        length = int((spec.window_seconds + _TAIL_S) * span.sample_rate)
        starts = range(0, max(len(span.samples) - length, 0) + 1, length)
        parts = [
            ContinuousAudio(span.samples[start : start + length], span.sample_rate, span.digest) for start in starts
        ]
        candidates += [part for part in parts if part.seconds > spec.window_seconds + 1.0 / spec.sample_rate]
    chosen = np.unique(np.linspace(0, len(candidates) - 1, min(count, len(candidates))).astype(np.int64))
    return [candidates[index] for index in chosen]


def mono_of(audio: ContinuousAudio, sample_rate: int) -> Float32:
    """One channel of the sound at a sample rate, float32 (n,)."""
    return resampled(to_mono(audio.samples), audio.sample_rate, sample_rate)
