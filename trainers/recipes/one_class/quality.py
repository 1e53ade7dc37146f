"""Figures of a model on normal and abnormal clips, and the threshold swept on clips reserved for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.evaluation.metrics import auc, f1
from trainers.model import Model
from trainers.recipes.one_class.data import WindowedClip

Float64 = npt.NDArray[np.float64]

_THRESHOLDS = 41


def window_scores(model: Model, clips: Sequence[WindowedClip]) -> list[Float64]:
    """Scores of each clip's windows, float64 (windows,) each."""
    return [model.infer(one.windows)[0].astype(np.float64) for one in clips]


def by_label(clips: Sequence[WindowedClip], scores: Sequence[Float64]) -> tuple[Float64, Float64]:
    """Scores of the windows of normal and of abnormal clips, float64 (n,) and (m,)."""
    normal = [values for one, values in zip(clips, scores, strict=True) if not one.is_abnormal]
    abnormal = [values for one, values in zip(clips, scores, strict=True) if one.is_abnormal]
    return np.concatenate(normal), np.concatenate(abnormal)


def sweep_threshold(normal: Float64, abnormal: Float64) -> tuple[float, list[dict[str, float]]]:
    """The threshold of the best balanced accuracy on windows reserved for it, and all that were tried.

    Args:
        normal, abnormal: scores, float64 (n,) and (m,).

    Returns:
        The median of the best ones, and ``threshold``, ``accuracy``, ``balanced`` of each.
    """
    table = []
    lowest, highest = np.quantile(np.concatenate([normal, abnormal]), [0.01, 0.99]).tolist()
    for threshold in np.linspace(lowest, highest, _THRESHOLDS).tolist():
        specificity, recall = float(np.mean(normal <= threshold)), float(np.mean(abnormal > threshold))
        accuracy = (specificity * len(normal) + recall * len(abnormal)) / (len(normal) + len(abnormal))
        table.append({"threshold": threshold, "accuracy": accuracy, "balanced": 0.5 * (specificity + recall)})
    best = max(row["balanced"] for row in table)
    return float(np.median([row["threshold"] for row in table if row["balanced"] == best])), table


def clip_metrics(clips: Sequence[WindowedClip], scores: Sequence[Float64], threshold: float) -> dict[str, float]:
    """Quality on clips reserved for it.

    Returns:
        ``window_auc``, ``clip_auc`` (of clip means), ``window_accuracy``, ``window_f1``, and ``level_auc``: what the
        windows' level alone would reach, in either direction. A score that does not exceed it measures loudness.
    """
    abnormal = np.array([one.is_abnormal for one in clips])
    truth = np.concatenate(
        [np.full(len(values), is_abnormal) for values, is_abnormal in zip(scores, abnormal, strict=True)]
    )
    all_scores = np.concatenate(scores)
    means = np.array([values.mean() for values in scores])
    levels = np.array([_level_of(one) for one in clips])
    level_auc = auc(levels[~abnormal], levels[abnormal])
    predicted = all_scores > threshold
    return {
        "window_auc": auc(all_scores[~truth], all_scores[truth]),
        "clip_auc": auc(means[~abnormal], means[abnormal]),
        "window_accuracy": float(np.mean(predicted == truth)),
        "window_f1": f1(truth, predicted),
        "level_auc": max(level_auc, 1.0 - level_auc),
    }


def metrics_by_machine(clips: Sequence[WindowedClip], scores: Sequence[Float64]) -> dict[str, dict[str, Any]]:
    """Clip AUC of every machine, unit and SNR with normal and abnormal clips in the test, and what loudness reaches."""
    machines: dict[str, dict[bool, list[tuple[float, float]]]] = {}
    for one, values in zip(clips, scores, strict=True):
        snr = "" if one.clip.snr_db is None else f"/{one.clip.snr_db:g}dB"
        pairs = machines.setdefault(f"{one.clip.machine}/{one.clip.unit}{snr}", {False: [], True: []})
        pairs[one.is_abnormal].append((float(values.mean()), _level_of(one)))
    table = {}
    for name, pairs in sorted(machines.items()):
        if pairs[False] and pairs[True]:
            (normal, normal_levels), (abnormal, abnormal_levels) = (
                tuple(zip(*pairs[label], strict=True)) for label in (False, True)
            )
            level_auc = auc(normal_levels, abnormal_levels)
            table[name] = {
                "clip_auc": round(auc(normal, abnormal), 4),
                "level_auc": round(max(level_auc, 1.0 - level_auc), 4),
                "clips": len(normal) + len(abnormal),
            }
    return table


def _level_of(one: WindowedClip) -> float:
    """Ten times less than dB: only the order counts."""
    return float(np.log10(np.mean(np.square(one.samples, dtype=np.float64)) + 1e-12))
