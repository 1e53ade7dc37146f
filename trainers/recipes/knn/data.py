"""Sound of one device in unbroken runs, and the windows in them."""

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
class Run:
    """Sound without a gap.

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
class Windows:
    """Windows of runs.

    Attributes:
        features: float32 (n, n_frames, width), level-normalised.
        at: int64 (n,), the row each starts at, on one time line on which runs lie more than a window apart.
        run: int64 (n,), of which run each is.
    """

    features: Float32
    at: npt.NDArray[np.int64]
    run: npt.NDArray[np.int64]


def windows_in(runs: Sequence[Run], spec: FeatureSpec) -> Windows:
    """All windows of all runs, in their order."""
    features, at, number, start = [], [], [], 0
    for index, run in enumerate(track(runs, "listening")):
        rows = rows_of(run.samples, run.sample_rate, spec)
        found = windows_of(rows, spec)
        features.append(found)
        at.append(start + spec.window_hop * np.arange(len(found), dtype=np.int64))
        number.append(np.full(len(found), index, dtype=np.int64))
        start += len(rows) + spec.n_frames
    return Windows(np.concatenate(features), np.concatenate(at), np.concatenate(number))


def excerpts(runs: Sequence[Run], spec: FeatureSpec, count: int) -> list[Run]:
    """``count`` pieces of a window and four seconds at most, evenly spread over the runs; fewer where there is less."""
    pieces = []
    for run in runs:
        length = int((spec.window_seconds + _TAIL_S) * run.sample_rate)
        starts = range(0, max(len(run.samples) - length, 0) + 1, length)
        parts = [Run(run.samples[start : start + length], run.sample_rate, run.digest) for start in starts]
        pieces += [part for part in parts if part.seconds > spec.window_seconds + 1.0 / spec.sample_rate]
    chosen = np.unique(np.linspace(0, len(pieces) - 1, min(count, len(pieces))).astype(np.int64))
    return [pieces[index] for index in chosen]


def mono_of(run: Run, sample_rate: int) -> Float32:
    """The run's sound in one channel at a rate, float32 (n,)."""
    return resampled(to_mono(run.samples), run.sample_rate, sample_rate)
