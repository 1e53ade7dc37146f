"""How good scores are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

NORMAL = "normal"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


def auc(normal: npt.ArrayLike, anomalous: npt.ArrayLike) -> float:
    """Probability that an anomalous score lies above a normal one, ties half: Mann and Whitney's U, 0 to 1."""
    low, high = np.sort(np.asarray(normal)), np.asarray(anomalous)
    below, upto = np.searchsorted(low, high, "left"), np.searchsorted(low, high, "right")
    return float((below + upto).sum() / (2.0 * len(low) * len(high)))


def below_normal(scores: Mapping[str, npt.ArrayLike]) -> dict[str, float]:
    """The groups that a model would not alarm on, with their AUC: those that mostly score below normal sound.

    Args:
        scores: by group; the group ``normal`` is what the others are held against.
    """
    found = {name: auc(scores[NORMAL], values) for name, values in scores.items() if name != NORMAL}
    return {name: value for name, value in found.items() if value < 0.5}


def f1(labels: npt.NDArray[np.bool_], called: npt.NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall, 0 to 1."""
    hits = int((labels & called).sum())
    return 2.0 * hits / max(int(labels.sum()) + int(called.sum()), 1)


def confirmed(scores: Float32, confirm: int, among: int) -> float:
    """The highest threshold at which ``confirm`` of ``among`` consecutive windows still pass.

    Args:
        scores: float32 (n,) in order of time; with fewer than ``among``, all there are count.
        confirm, among: as of :class:`processors.core.alerting.detectors.Detector`.

    Returns:
        -inf where there are fewer than ``confirm`` windows.
    """
    if len(scores) < confirm:
        return -np.inf
    views = np.lib.stride_tricks.sliding_window_view(scores, min(among, len(scores)))
    return float(np.sort(views, axis=1)[:, -confirm].max())


def threshold_for(screams: Float64, others: Float64, false_share: float, recall: float) -> float:
    """A threshold that keeps false calls within ``false_share`` of the others, and calls ``recall`` of the screams.

    Where both can be had the middle of the possible range is taken; where not, the false calls decide.

    Args:
        screams: confirmed scores of clips with a scream, float64 (n,).
        others: of clips without, float64 (m,).
        false_share, recall: 0 to 1.
    """
    allowed = int(np.floor(false_share * len(others)))
    # A clip is called above the threshold: the (allowed + 1)-th highest of the others must not be.
    lowest = float(np.sort(others)[::-1][allowed])
    needed = int(np.ceil(recall * len(screams)))
    highest = float(np.sort(screams)[::-1][needed - 1])
    return 0.5 * (lowest + highest) if highest > lowest else lowest


def quantiles_of(scores: npt.ArrayLike) -> dict[str, float]:
    """Score quantiles by probability as text, as a manifest keeps them."""
    values = np.quantile(np.asarray(scores, dtype=np.float64), QUANTILES)
    return {str(probability): round(float(value), 4) for probability, value in zip(QUANTILES, values, strict=True)}
