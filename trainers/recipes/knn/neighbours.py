"""Nearest neighbours on whitened features: the distance of a feature row from its nearest normal ones.

Whitening by a shrunk covariance scales a step in any direction by how rare it is (Mahalanobis 1936); dividing by the
distances of the nearest normal rows from their own neighbours makes sparse regions of normal sound as normal as dense
ones (as the local outlier factor does: Breunig et al., SIGMOD 2000). A closed form: no iteration, no seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.errors import TooLittleSound

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

NEIGHBOURS = 3
MIN_ROWS = NEIGHBOURS + 1
"""Non-overlapping rows needed, so that each has neighbours."""

# Exponent of the neighbours' own distance: 1 divides by all of it, 0 by none.
_LOCALITY = 0.75
# Of the shrinkage that is optimal for estimating a covariance: detecting faults works better with less.
_SHARE_OF_SHRINKAGE = 0.1
_MIN_SHRINKAGE = 1e-4
_MAX_REFERENCES = 1_024
_RESOLUTION = 0.5
_TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class NearestNeighbours:
    """A scorer of rows of d columns, fitted to normal rows.

    Attributes:
        centre: float64 (d,), subtracted.
        whitening: float64 (d, d), symmetric up to the columns' scale, so that a whitened column still mostly is its
            own: ZCA-cor (Kessy, Lewin and Strimmer, The American Statistician 72, 2018).
        references: float64 (r, d), whitened normal rows.
        weight: float64 (r,), factors of the distances from each reference.
        typical_db: typical score of normal sound, subtracted from scores, dB.
    """

    centre: Float64
    whitening: Float64
    references: Float64
    weight: Float64
    typical_db: float = 0.0

    def whitened(self, rows: npt.ArrayLike) -> Float64:
        """Rows (n, d) where normal sound has unit variance in every direction, float64 (n, d)."""
        white: Float64 = (np.asarray(rows, dtype=np.float64) - self.centre) @ self.whitening
        return white

    def score(self, rows: npt.ArrayLike) -> Float64:
        """Distance of each row from normal sound relative to its typical distance, dB, float64 (n,)."""
        closest = np.partition(self._weighted(rows), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS].mean(axis=1)
        score: Float64 = 20.0 * np.log10(closest) - self.typical_db
        return score

    def nearest(self, rows: npt.ArrayLike) -> Float64:
        """The reference nearest to each row, whitened, float64 (n, d)."""
        nearest: Float64 = self.references[self._weighted(rows).argmin(axis=1)]
        return nearest

    def _weighted(self, rows: npt.ArrayLike) -> Float64:
        return _distances(self.whitened(rows), self.references) * self.weight


def resolution(columns: int) -> float:
    """Added to every squared distance, so that repeated sound is not infinitely near itself.

    Half a standard deviation in every column; rows that differ by chance are nearly three times as far apart.
    """
    return _RESOLUTION**2 * columns


def fit(rows: npt.ArrayLike, start: npt.ArrayLike, length: int, floor: float = 0.0) -> NearestNeighbours:
    """Fits a scorer to normal sound.

    Args:
        rows: (n, d), one for each window.
        start: where each window starts, in rows; windows ``length`` or more apart share no sound.
        length: of a window in rows, >= 1.
        floor: minimum standard deviation of a column, in its unit.

    Raises:
        TooLittleSound: fewer than four windows are apart from each other.
    """
    x, starts = np.asarray(rows, dtype=np.float64), np.asarray(start, dtype=np.int64)
    effective = _independent_windows(starts, length)
    if effective < MIN_ROWS:
        raise TooLittleSound(f"{effective:.1f} windows' worth of sound; at least {MIN_ROWS} are needed")
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), max(floor, _TINY))
    z = (x - centre) / scale
    values, vectors = np.linalg.eigh(_shrunk_covariance(z, effective))
    whitening = (vectors / np.sqrt(values)) @ vectors.T / scale[:, None]
    white = (x - centre) @ whitening
    chosen = _reference_windows(starts, length)
    references, reference_starts = white[chosen], starts[chosen]
    distances = _distances(references, white)
    distances[np.abs(reference_starts[:, None] - starts[None, :]) < length] = np.inf
    nearest = np.partition(distances, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    # A window in the middle of a short recording has fewer neighbours that share no sound with it.
    own_mean = np.array([one[np.isfinite(one)].mean() if np.isfinite(one).any() else np.nan for one in nearest])
    own_mean = np.where(np.isfinite(own_mean), own_mean, np.nanmean(own_mean))
    return NearestNeighbours(centre, whitening, references, own_mean**-_LOCALITY)


def held_out_scores(
    rows: npt.ArrayLike, start: npt.ArrayLike, length: int, floor: float = 0.0, blocks: int = 5
) -> Float64:
    """Cross-validated scores of normal rows over blocks of time, float64 (n,), with ``typical_db`` 0.

    Args:
        rows, start, length, floor: as for :func:`fit`.
        blocks: number of blocks of equally many windows. Windows that share sound with a block are not fitted to when
            it is scored.

    Raises:
        TooLittleSound: too little is left to fit to.
    """
    x, starts = np.asarray(rows, dtype=np.float64), np.asarray(start, dtype=np.int64)
    scores = np.empty(len(x))
    for part in np.array_split(np.argsort(starts, kind="stable"), blocks):
        rest = (starts <= starts[part].min() - length) | (starts >= starts[part].max() + length)
        scores[part] = fit(x[rest], starts[rest], length, floor).score(x[part])
    return scores


def _reference_windows(starts: Int64, length: int) -> Int64:
    """Indices of the windows used as references: a quarter of a window or more apart, and not too many."""
    order = np.argsort(starts, kind="stable")
    cell = starts[order] // max(length // 4, 1)
    chosen = order[np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))] if length >= 8 else order
    return chosen[np.unique(np.linspace(0, len(chosen) - 1, min(_MAX_REFERENCES, len(chosen))).astype(np.int64))]


def _independent_windows(starts: Int64, length: int) -> float:
    """The equivalent number of windows without common sound."""
    ordered = np.sort(starts)
    return float(np.minimum(np.diff(ordered), length).sum() / length) + 1.0 if len(ordered) else 0.0


def _shrunk_covariance(z: Float64, n: float) -> Float64:
    """Covariance of standardised rows (m, d) worth ``n`` independent ones, shrunk to the identity, float64 (d, d).

    A tenth of the oracle approximating shrinkage (Chen, Wiesel, Eldar and Hero, IEEE Trans. Signal Processing 58,
    2010).
    """
    d = z.shape[1]
    covariance = z.T @ z / len(z)
    mean = np.trace(covariance) / d
    squares, trace_squared = float((covariance**2).sum()), float(np.trace(covariance)) ** 2
    above = (1.0 - 2.0 / d) * squares + trace_squared
    below = (n + 1.0 - 2.0 / d) * (squares - trace_squared / d)
    oracle = 1.0 if below <= above else above / below
    share = max(_SHARE_OF_SHRINKAGE * oracle, _MIN_SHRINKAGE)
    shrunk: Float64 = (1.0 - share) * covariance + share * mean * np.eye(d)
    return shrunk


def _distances(rows: Float64, others: Float64) -> Float64:
    """Euclidean distances with :func:`resolution` added, float64 (len(rows), len(others))."""
    squared = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :] - 2.0 * rows @ others.T
    distances: Float64 = np.sqrt(np.maximum(squared, 0.0) + resolution(rows.shape[1]))
    return distances
