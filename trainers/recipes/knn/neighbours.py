"""A closed form of normal sound: how far a feature row lies from its nearest normal ones, where noise is white.

Whitening by a shrunk covariance makes a step in any direction as large as it is rare (Mahalanobis 1936); dividing by
how far the nearest normal rows lie from their own neighbours lets sparse corners of normal sound be as normal as
dense ones (as the local outlier factor does: Breunig et al., SIGMOD 2000). No iteration, no seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.errors import TooLittleSound

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

NEIGHBOURS = 3
LEAST_ROWS = NEIGHBOURS + 1
"""Rows that do not overlap each other, without which there are no neighbours to measure with."""

# Between all of the neighbours' own distance (1) and none of it (0).
_LOCALITY = 0.75
# Of the shrinkage that estimates a covariance best: for telling faults from normal sound less is better.
_SHARE_OF_SHRINKAGE = 0.1
_LEAST_SHRINKAGE = 1e-4
_MOST_REFERENCES = 1_024
_RESOLUTION = 0.5
_TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ClosedForm:
    """What was learned of d columns.

    Attributes:
        centre: float64 (d,), subtracted.
        whitening: float64 (d, d), symmetric up to the columns' scale, so that a whitened column is still mostly its
            own: ZCA-cor (Kessy, Lewin and Strimmer, The American Statistician 72, 2018).
        references: float64 (r, d), whitened normal rows.
        weight: float64 (r,), what distances from each reference are multiplied by.
        usual_db: what normal sound scores before this is subtracted, dB.
    """

    centre: Float64
    whitening: Float64
    references: Float64
    weight: Float64
    usual_db: float = 0.0

    def whitened(self, rows: npt.ArrayLike) -> Float64:
        """Rows (n, d) where normal sound has unit variance in every direction, float64 (n, d)."""
        white: Float64 = (np.asarray(rows, dtype=np.float64) - self.centre) @ self.whitening
        return white

    def score(self, rows: npt.ArrayLike) -> Float64:
        """How much further than usual each row lies from normal sound, dB, float64 (n,)."""
        closest = np.partition(self._weighted(rows), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS].mean(axis=1)
        score: Float64 = 20.0 * np.log10(closest) - self.usual_db
        return score

    def nearest(self, rows: npt.ArrayLike) -> Float64:
        """The reference nearest to each row, whitened, float64 (n, d)."""
        nearest: Float64 = self.references[self._weighted(rows).argmin(axis=1)]
        return nearest

    def _weighted(self, rows: npt.ArrayLike) -> Float64:
        return _distances(self.whitened(rows), self.references) * self.weight


def resolution(columns: int) -> float:
    """Added to every squared distance: sound that repeats itself is near itself, but not infinitely so.

    Half a standard deviation in every column; rows that differ by chance are nearly three times as far apart.
    """
    return _RESOLUTION**2 * columns


def fit(rows: npt.ArrayLike, at: npt.ArrayLike, span: int, floor: float = 0.0) -> ClosedForm:
    """Learns normal sound.

    Args:
        rows: (n, d), one for each window.
        at: where each window starts, in steps of time; windows ``span`` or more apart share no sound.
        span: length of a window in the same steps, >= 1.
        floor: least standard deviation of a column, in its unit: what varies less is taken to vary so much.

    Raises:
        TooLittleSound: fewer than four windows are apart from each other.
    """
    x, starts = np.asarray(rows, dtype=np.float64), np.asarray(at, dtype=np.int64)
    effective = _apart(starts, span)
    if effective < LEAST_ROWS:
        raise TooLittleSound(f"{effective:.1f} windows' worth of sound; at least {LEAST_ROWS} are needed")
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), max(floor, _TINY))
    z = (x - centre) / scale
    values, vectors = np.linalg.eigh(_shrunk(z, effective))
    whitening = (vectors / np.sqrt(values)) @ vectors.T / scale[:, None]
    white = (x - centre) @ whitening
    chosen = _spread_out(starts, span)
    references, when = white[chosen], starts[chosen]
    distances = _distances(references, white)
    distances[np.abs(when[:, None] - starts[None, :]) < span] = np.inf
    own = np.partition(distances, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    # A window amid a short recording has fewer neighbours that share no sound with it.
    own_mean = np.array([one[np.isfinite(one)].mean() if np.isfinite(one).any() else np.nan for one in own])
    own_mean = np.where(np.isfinite(own_mean), own_mean, np.nanmean(own_mean))
    return ClosedForm(centre, whitening, references, own_mean**-_LOCALITY)


def held_out_scores(rows: npt.ArrayLike, at: npt.ArrayLike, span: int, floor: float = 0.0, blocks: int = 5) -> Float64:
    """Scores of normal rows by what was learned from the other blocks of time, float64 (n,), before ``usual_db``.

    Args:
        rows, at, span, floor: as for :func:`fit`.
        blocks: in how many stretches of equally many windows the time is cut. Windows that share sound with a
            stretch are not learned from when it is scored.

    Raises:
        TooLittleSound: too little is left to learn from.
    """
    x, starts = np.asarray(rows, dtype=np.float64), np.asarray(at, dtype=np.int64)
    scores = np.empty(len(x))
    for part in np.array_split(np.argsort(starts, kind="stable"), blocks):
        rest = (starts <= starts[part].min() - span) | (starts >= starts[part].max() + span)
        scores[part] = fit(x[rest], starts[rest], span, floor).score(x[part])
    return scores


def _spread_out(starts: Int64, span: int) -> Int64:
    """Which windows become references: those a quarter of a window or more apart, and not too many."""
    order = np.argsort(starts, kind="stable")
    cell = starts[order] // max(span // 4, 1)
    chosen = order[np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))] if span >= 8 else order
    return chosen[np.unique(np.linspace(0, len(chosen) - 1, min(_MOST_REFERENCES, len(chosen))).astype(np.int64))]


def _apart(starts: Int64, span: int) -> float:
    """How many windows without common sound the windows amount to."""
    ordered = np.sort(starts)
    return float(np.minimum(np.diff(ordered), span).sum() / span) + 1.0 if len(ordered) else 0.0


def _shrunk(z: Float64, n: float) -> Float64:
    """Covariance of standardised rows (m, d) worth ``n`` independent ones, drawn towards independence, float64 (d, d).

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
    share = max(_SHARE_OF_SHRINKAGE * oracle, _LEAST_SHRINKAGE)
    shrunk: Float64 = (1.0 - share) * covariance + share * mean * np.eye(d)
    return shrunk


def _distances(rows: Float64, others: Float64) -> Float64:
    """Euclidean, and :func:`resolution` besides, float64 (len(rows), len(others))."""
    squared = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :] - 2.0 * rows @ others.T
    distances: Float64 = np.sqrt(np.maximum(squared, 0.0) + resolution(rows.shape[1]))
    return distances
