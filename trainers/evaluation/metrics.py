"""Metrics of scores, and thresholds chosen from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

NORMAL = "normal"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


def auc(normal: npt.ArrayLike, anomalous: npt.ArrayLike) -> float:
    """Area under the ROC curve, 0 to 1: the Mann-Whitney U statistic, ties counting half."""
    low, high = np.sort(np.asarray(normal)), np.asarray(anomalous)
    below, upto = np.searchsorted(low, high, "left"), np.searchsorted(low, high, "right")
    return float((below + upto).sum() / (2.0 * len(low) * len(high)))


def below_normal(scores: Mapping[str, npt.ArrayLike]) -> dict[str, float]:
    """Groups that mostly score below normal sound, with their AUC; a model raises no alarm for them.

    Args:
        scores: by group; the group ``normal`` is the negative class.
    """
    found = {name: auc(scores[NORMAL], values) for name, values in scores.items() if name != NORMAL}
    return {name: value for name, value in found.items() if value < 0.5}


def f1(labels: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall, 0 to 1."""
    hits = int((labels & predicted).sum())
    return 2.0 * hits / max(int(labels.sum()) + int(predicted.sum()), 1)


def confirmed(scores: Float32, confirm: int, among: int) -> float:
    """The highest threshold at which ``confirm`` of ``among`` consecutive windows still pass.

    Args:
        scores: float32 (n,) in order of time; with fewer than ``among``, all are used.
        confirm, among: as of :class:`processors.core.alerting.detectors.Detector`.

    Returns:
        -inf with fewer than ``confirm`` windows.
    """
    if len(scores) < confirm:
        return -np.inf
    views = np.lib.stride_tricks.sliding_window_view(scores, min(among, len(scores)))
    return float(np.sort(views, axis=1)[:, -confirm].max())


def threshold_for(screams: Float64, others: Float64, false_share: float, recall: float) -> float:
    """A threshold with at most ``false_share`` false positives and at least ``recall`` of the screams found.

    If both are possible, the middle of the possible range; otherwise the limit on false positives decides.

    Args:
        screams: confirmed scores of clips with a scream, float64 (n,).
        others: of clips without, float64 (m,).
        false_share, recall: 0 to 1.
    """
    allowed = int(np.floor(false_share * len(others)))
    # Clips above the threshold are positives: the (allowed + 1)-th highest of the others must not be above.
    lowest = float(np.sort(others)[::-1][allowed])
    needed = int(np.ceil(recall * len(screams)))
    highest = float(np.sort(screams)[::-1][needed - 1])
    return 0.5 * (lowest + highest) if highest > lowest else lowest


def quantiles_of(scores: npt.ArrayLike) -> dict[str, float]:
    """Score quantiles by probability as text, in the manifest's format."""
    values = np.quantile(np.asarray(scores, dtype=np.float64), QUANTILES)
    return {str(probability): round(float(value), 4) for probability, value in zip(QUANTILES, values, strict=True)}
