"""A memory bank: statistics of a device's own normal sound, in several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from schemas.errors import EmptyAudio

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MIN_WINDOWS = 6
MIN_DISTANCE = 1e-6
_FOLDS = 20
_RIDGE = 0.1
_MIN_SPREAD = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Mean and covariance of the normal rows of one view.

    Attributes:
        centre: float64 (d,), subtracted.
        whitening: float64 (d, d), applied after that; the squared norm of the result is the squared Mahalanobis
            distance.
        mean, spread: mean and standard deviation of the logarithm of that distance over held-out normal sound.
    """

    centre: Float64
    whitening: Float64
    mean: float = 0.0
    spread: float = 1.0

    def distance(self, rows: npt.ArrayLike) -> Float64:
        """Logarithm of the mean squared whitened row, standardised by ``mean`` and ``spread``, float64 (n,)."""
        white = (np.asarray(rows, dtype=np.float64) - self.centre) @ self.whitening
        logarithm: Float64 = np.log(np.maximum(np.mean(white**2, axis=1), MIN_DISTANCE))
        return (logarithm - self.mean) / self.spread


def fit_view(rows: Float64) -> View:
    """Mahalanobis with the covariance of standardised rows plus 0.1 of the identity; ``mean`` and ``spread`` are unset.

    Args:
        rows: float64 (n, d).
    """
    centre, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    z = (rows - centre) / scale
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    return View(centre, vectors / np.sqrt(np.maximum(values, 0.0) + _RIDGE) / scale[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class MemoryBank:
    """A device's normal sound.

    Attributes:
        views: statistics of each.
        held_out: scores of its own windows by statistics of its other recordings, float64 (n,).
    """

    views: tuple[View, ...]
    held_out: Float64

    def score(self, views: Sequence[npt.ArrayLike]) -> Float64:
        """Mean over views of their distances, float64 (n,), treating views as independent.

        A covariance over all of them together would need far more windows than a device's first minutes have.
        """
        distances = [view.distance(rows) for view, rows in zip(self.views, views, strict=True)]
        return np.asarray(np.mean(distances, axis=0), dtype=np.float64)


def fit_memory_bank(views: Sequence[npt.ArrayLike], recording: npt.ArrayLike) -> MemoryBank:
    """Fits the memory bank of a device.

    Args:
        views: rows of its normal windows, (n, d) each.
        recording: (n,), index of each window's recording; a recording is held out as a whole. With fewer than three
            recordings, contiguous blocks of windows are held out.

    Raises:
        EmptyAudio: there are fewer than six windows.
    """
    recording_of = np.asarray(recording, dtype=np.int64)
    if len(recording_of) < MIN_WINDOWS:
        raise EmptyAudio(f"{len(recording_of)} windows of normal sound; at least {MIN_WINDOWS} are needed: give more")
    fold = _folds(recording_of)
    fitted = []
    standardised = []
    for view in views:
        rows = np.asarray(view, dtype=np.float64)
        held_out = np.empty(len(rows))
        for number in range(int(fold.max()) + 1):
            held_out[fold == number] = fit_view(rows[fold != number]).distance(rows[fold == number])
        mean, spread = float(held_out.mean()), max(float(held_out.std()), _MIN_SPREAD)
        fitted.append(replace(fit_view(rows), mean=mean, spread=spread))
        standardised.append((held_out - mean) / spread)
    return MemoryBank(tuple(fitted), np.mean(standardised, axis=0))


def _folds(recording: Int64) -> Int64:
    """The fold each window is held out in, int64 (n,)."""
    names = np.unique(recording)
    if len(names) < 3:
        return np.arange(len(recording), dtype=np.int64) * min(5, len(recording)) // len(recording)
    return np.searchsorted(names, recording).astype(np.int64) % min(_FOLDS, len(names))
