"""What a device's own normal sound is like, in several views at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.errors import EmptyAudio

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LEAST_WINDOWS = 6
LEAST_DISTANCE = 1e-6
_FOLDS = 20
_RIDGE = 0.1
_LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Normal rows of one view, by mean and covariance.

    Attributes:
        centre: float64 (d,), subtracted.
        whitening: float64 (d, d), what follows; the square of the result is Mahalanobis' distance.
        usual, spread: mean and standard deviation of the logarithm of that distance over normal sound that was not
            learned from.
    """

    centre: Float64
    whitening: Float64
    usual: float = 0.0
    spread: float = 1.0

    def distance(self, rows: npt.ArrayLike) -> Float64:
        """Logarithm of the mean squared whitened row, in its usual spreads above the usual, float64 (n,)."""
        white = (np.asarray(rows, dtype=np.float64) - self.centre) @ self.whitening
        logarithm: Float64 = np.log(np.maximum(np.mean(white**2, axis=1), LEAST_DISTANCE))
        return (logarithm - self.usual) / self.spread


def fit_view(rows: Float64) -> View:
    """Mahalanobis with the covariance of standardised rows plus 0.1 of the identity; ``usual`` is left open.

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
        views: one each.
        held_out: scores of its own windows by what was learned from its other recordings, float64 (n,).
    """

    views: tuple[View, ...]
    held_out: Float64

    def score(self, views: Sequence[npt.ArrayLike]) -> Float64:
        """Mean over views of their distances, float64 (n,): as if views were independent.

        A covariance over all of them together would need far more windows than a device's first minutes have.
        """
        each = [view.distance(rows) for view, rows in zip(self.views, views, strict=True)]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)


def fit_memory_bank(views: Sequence[npt.ArrayLike], recording: npt.ArrayLike) -> MemoryBank:
    """Learns a device.

    Args:
        views: rows of its normal windows, (n, d) each.
        recording: (n,), which recording each window is of: those of one are never on both sides when distances of
            what was not learned from are taken. Where there are fewer than three, stretches of windows are.

    Raises:
        EmptyAudio: there are fewer than six windows.
    """
    of = np.asarray(recording, dtype=np.int64)
    if len(of) < LEAST_WINDOWS:
        raise EmptyAudio(f"{len(of)} windows of normal sound; at least {LEAST_WINDOWS} are needed: give more")
    fold = _folds(of)
    fitted = []
    parts = []
    for view in views:
        rows = np.asarray(view, dtype=np.float64)
        apart = np.empty(len(rows))
        for number in range(int(fold.max()) + 1):
            apart[fold == number] = fit_view(rows[fold != number]).distance(rows[fold == number])
        usual, spread = float(apart.mean()), max(float(apart.std()), _LEAST_SPREAD)
        plain = fit_view(rows)
        fitted.append(View(plain.centre, plain.whitening, usual, spread))
        parts.append((apart - usual) / spread)
    return MemoryBank(tuple(fitted), np.mean(parts, axis=0))


def _folds(recording: Int64) -> Int64:
    """The fold each window is held out in, int64 (n,)."""
    names = np.unique(recording)
    if len(names) < 3:
        return np.arange(len(recording), dtype=np.int64) * min(5, len(recording)) // len(recording)
    return np.searchsorted(names, recording).astype(np.int64) % min(_FOLDS, len(names))
