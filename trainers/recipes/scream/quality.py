"""Figures of a scream model on clips: detected and false ones, by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from processors.adapters.models.detectors import load_detectors
from processors.core.audio.recording import windows_of
from schemas.features import FeatureSpec
from trainers.evaluation.metrics import auc, confirmed, f1, threshold_for
from trainers.export.torch_model import scores_of
from trainers.recipes.scream.data import LabelledRecording, frames_of, mixed_over, window_labels

Float32 = npt.NDArray[np.float32]

MAX_FALSE_SHARE = 0.02
MIN_RECALL = 0.95
BACKGROUND = "ambience"
"""The folder of rooms that screams are mixed over."""

_MIXES = 2
_CANDIDATES = 200


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRecording:
    """Scores of a recording by a model that was not trained on its source.

    Attributes:
        recording: the recording.
        fold: in which it was held out.
        scores: float32 (windows,).
        labels: int8 (windows,): 1 scream, 0 no scream, -1 uncertain.
    """

    recording: LabelledRecording
    fold: int
    scores: Float32
    labels: npt.NDArray[np.int8]

    @property
    def level(self) -> float:
        """The highest threshold at which it is still detected as a scream."""
        scream = load_detectors()["scream"]
        return confirmed(self.scores, scream.min_confirmations, scream.window_count)


@dataclass(frozen=True, slots=True)
class FoldThresholds:
    """Thresholds of each fold, chosen on the other folds' scores, so that no clip influences its own.

    Attributes:
        clip: by fold, threshold of confirmed scores: at most 2 % of harmless clips exceed it on the others.
        window: by fold, threshold of single windows: the one of the highest F1 on the others.
    """

    clip: Mapping[int, float]
    window: Mapping[int, float]


def fold_thresholds(scored: Sequence[ScoredRecording]) -> FoldThresholds:
    """Thresholds for each fold from all others; with one fold, from itself."""
    folds = sorted({one.fold for one in scored})
    clip, window = {}, {}
    for fold in folds:
        others = [one for one in scored if one.fold != fold or len(folds) == 1]
        clip[fold] = clip_threshold(others)
        window[fold] = _window_threshold(others)
    return FoldThresholds(clip, window)


def clip_threshold(scored: Sequence[ScoredRecording]) -> float:
    """Threshold of confirmed scores, by the rule of :func:`trainers.evaluation.metrics.threshold_for`."""
    return threshold_for(
        clip_levels(scored, scream=True), clip_levels(scored, scream=False), MAX_FALSE_SHARE, MIN_RECALL
    )


def _window_threshold(scored: Sequence[ScoredRecording]) -> float:
    truth, scores = _certain_windows(scored)
    candidates = np.quantile(scores, np.linspace(0.0, 1.0, _CANDIDATES))
    return float(candidates[int(np.argmax([f1(truth, scores > threshold) for threshold in candidates]))])


def score_recordings(
    net: nn.Module, recordings: Sequence[LabelledRecording], spec: FeatureSpec, fold: int = 0, gain_db: float = 0.0
) -> list[ScoredRecording]:
    """Scores recordings at a gain."""
    scored = []
    for recording in recordings:
        frames = frames_of(recording, spec, gain_db)
        starts = np.arange(0, len(frames) - spec.n_frames + 1, spec.window_hop, dtype=np.int64)
        labels = window_labels(recording, frames, starts, spec)
        scored.append(ScoredRecording(recording, fold, scores_of(net, windows_of(frames, spec)), labels))
    return scored


def score_mixed(
    net: nn.Module, recordings: Sequence[LabelledRecording], spec: FeatureSpec, fold: int, snr_db: float
) -> list[ScoredRecording]:
    """Scores each scream mixed over two rooms, drawn by the fold's number; empty without recordings of rooms."""
    rooms = [one for one in recordings if one.kind == BACKGROUND]
    rng = np.random.default_rng(fold)
    screams = [one for one in recordings if one.is_scream]
    if not rooms:
        return []
    mixed = [mixed_over(one, rooms[int(rng.integers(len(rooms)))], snr_db) for one in screams for _ in range(_MIXES)]
    return score_recordings(net, mixed, spec, fold)


def window_scores(scored: Sequence[ScoredRecording], label: int) -> npt.NDArray[np.float64]:
    """Scores of all windows with a label, float64 (n,)."""
    parts = [one.scores[one.labels == label] for one in scored]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def clip_levels(scored: Sequence[ScoredRecording], *, scream: bool) -> npt.NDArray[np.float64]:
    """Confirmed scores of all clips with or without a scream, float64 (n,)."""
    return np.array([one.level for one in scored if one.recording.is_scream == scream])


def quality(scored: Sequence[ScoredRecording], thresholds: FoldThresholds) -> dict[str, float]:
    """Window and clip figures, each in 0 to 1.

    ``frame_f1``, ``precision``, ``recall`` and ``accuracy`` are of windows at their own threshold, ``frame_f1_serving``
    at that of clips, which serving uses; names with ``sure`` leave out clips with uncertain windows only.
    """
    truth, predicted = _predictions(scored, thresholds.window)
    _, serving = _predictions(scored, thresholds.clip)
    clips = np.array([one.recording.is_scream for one in scored])
    detected = np.array([one.level > thresholds.clip[one.fold] for one in scored])
    sure = np.array([not one.recording.is_scream or bool((one.labels >= 0).any()) for one in scored])
    is_scream, scores = _certain_windows(scored)
    return {
        "frame_f1": f1(truth, predicted),
        "frame_precision": float((truth & predicted).sum() / max(int(predicted.sum()), 1)),
        "frame_recall": float((truth & predicted).sum() / max(int(truth.sum()), 1)),
        "frame_accuracy": float(np.mean(truth == predicted)),
        "frame_f1_serving": f1(truth, serving),
        "frame_auc": auc(scores[~is_scream], scores[is_scream]),
        "clip_f1": f1(clips, detected),
        "clip_f1_sure": f1(clips[sure], detected[sure]),
        "clip_auc": auc(clip_levels(scored, scream=False), clip_levels(scored, scream=True)),
        "clip_recall": _mean(detected[clips]),
        "clip_recall_sure": _mean(detected[clips & sure]),
        "false_clips": _mean(detected[~clips]),
    }


def recall_of(scored: Sequence[ScoredRecording], thresholds: FoldThresholds) -> float:
    """Share of clips that are detected, 0 to 1; all of them contain a scream."""
    return _mean(np.array([one.level > thresholds.clip[one.fold] for one in scored]))


def by_fold(scored: Sequence[ScoredRecording], thresholds: FoldThresholds) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over folds of each figure of :func:`quality`."""
    folds = sorted({one.fold for one in scored})
    each = [quality([one for one in scored if one.fold == fold], thresholds) for fold in folds]
    return {
        name: {
            "mean": float(np.mean([one[name] for one in each])),
            "sd": float(np.std([one[name] for one in each])),
        }
        for name in each[0]
    }


def by_kind(scored: Sequence[ScoredRecording], thresholds: FoldThresholds) -> dict[str, dict[str, Any]]:
    """Of each kind: its clips, those called a scream, the highest level above the threshold, and the wrong ones."""
    table: dict[str, dict[str, Any]] = {}
    for one in scored:
        above = one.level - thresholds.clip[one.fold]
        row = table.setdefault(one.recording.kind, {"clips": 0, "called": 0, "highest": -np.inf, "wrong": []})
        row["clips"] += 1
        row["called"] += int(above > 0.0)
        row["highest"] = round(max(row["highest"], above), 2)
        if (above > 0.0) != one.recording.is_scream and not one.recording.is_synthetic:
            row["wrong"].append(one.recording.name.rsplit("/", 1)[-1])
    return table


def _certain_windows(scored: Sequence[ScoredRecording]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Whether a window contains a scream, and its score, of all windows with a certain label."""
    labels = np.concatenate([one.labels for one in scored])
    scores = np.concatenate([one.scores for one in scored]).astype(np.float64)
    return labels[labels >= 0] == 1, scores[labels >= 0]


def _predictions(
    scored: Sequence[ScoredRecording], thresholds: Mapping[int, float]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    above = [one.scores > thresholds[one.fold] for one in scored]
    labels = np.concatenate([one.labels for one in scored])
    return labels[labels >= 0] == 1, np.concatenate(above)[labels >= 0]


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0
