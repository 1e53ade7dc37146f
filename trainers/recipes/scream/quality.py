"""How well a scream model does on clips: found and false ones, by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from processors.core.alerting.detectors import SCREAM
from processors.core.audio.recording import windows_of
from schemas.features import FeatureSpec
from trainers.evaluation.metrics import auc, confirmed, f1, threshold_for
from trainers.export.torch_model import scores_of
from trainers.recipes.scream.data import Take, frames_of, over, window_labels

Float32 = npt.NDArray[np.float32]

FALSE_SHARE = 0.02
RECALL = 0.95
BACKGROUND = "ambience"
"""The folder of rooms that screams are mixed into."""

_MIXES = 2
_CANDIDATES = 200


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTake:
    """What a model that never learned from a take's source says of it.

    Attributes:
        take: the take.
        fold: in which it was held out.
        scores: float32 (windows,).
        labels: int8 (windows,): 1 scream, 0 none, -1 open.
    """

    take: Take
    fold: int
    scores: Float32
    labels: npt.NDArray[np.int8]

    @property
    def level(self) -> float:
        """The highest threshold at which it is still called a scream."""
        return confirmed(self.scores, SCREAM.min_confirmations, SCREAM.window_count)


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of each fold, chosen on the other folds' scores, so that no clip has a say in its own.

    Attributes:
        clip: by fold, what confirmed scores are compared with: at most 2 % of harmless clips pass on the others.
        window: by fold, what single windows are compared with where those alone count: the highest F1 on the others.
    """

    clip: Mapping[int, float]
    window: Mapping[int, float]


def limits_of(scored: Sequence[ScoredTake]) -> Limits:
    """Thresholds for each fold from all others; with one fold, from itself."""
    folds = sorted({one.fold for one in scored})
    clip, window = {}, {}
    for fold in folds:
        others = [one for one in scored if one.fold != fold or len(folds) == 1]
        clip[fold] = clip_threshold(others)
        window[fold] = _window_threshold(others)
    return Limits(clip, window)


def clip_threshold(scored: Sequence[ScoredTake]) -> float:
    """What a confirmed score must pass to count, by the rule of :func:`trainers.evaluation.metrics.threshold_for`."""
    return threshold_for(clip_levels(scored, scream=True), clip_levels(scored, scream=False), FALSE_SHARE, RECALL)


def _window_threshold(scored: Sequence[ScoredTake]) -> float:
    truth, scores = _windows(scored)
    candidates = np.quantile(scores, np.linspace(0.0, 1.0, _CANDIDATES))
    return float(candidates[int(np.argmax([f1(truth, scores > limit) for limit in candidates]))])


def score_takes(
    net: nn.Module, takes: Sequence[Take], spec: FeatureSpec, fold: int = 0, gain_db: float = 0.0
) -> list[ScoredTake]:
    """Scores takes at a gain."""
    scored = []
    for take in takes:
        frames = frames_of(take, spec, gain_db)
        starts = np.arange(0, len(frames) - spec.n_frames + 1, spec.window_hop, dtype=np.int64)
        labels = window_labels(take, frames, starts, spec)
        scored.append(ScoredTake(take, fold, scores_of(net, windows_of(frames, spec)), labels))
    return scored


def score_mixed(net: nn.Module, takes: Sequence[Take], spec: FeatureSpec, fold: int, snr_db: float) -> list[ScoredTake]:
    """Scores each scream before two rooms, drawn by the fold's number; empty where there is no room among ``takes``."""
    rooms = [take for take in takes if take.kind == BACKGROUND]
    rng = np.random.default_rng(fold)
    screams = [take for take in takes if take.is_scream]
    if not rooms:
        return []
    mixed = [over(take, rooms[int(rng.integers(len(rooms)))], snr_db) for take in screams for _ in range(_MIXES)]
    return score_takes(net, mixed, spec, fold)


def window_scores(scored: Sequence[ScoredTake], label: int) -> npt.NDArray[np.float64]:
    """Scores of all windows with a label, float64 (n,)."""
    parts = [one.scores[one.labels == label] for one in scored]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def clip_levels(scored: Sequence[ScoredTake], *, scream: bool) -> npt.NDArray[np.float64]:
    """Confirmed scores of all clips with or without a scream, float64 (n,)."""
    return np.array([one.level for one in scored if one.take.is_scream == scream])


def quality(scored: Sequence[ScoredTake], limits: Limits) -> dict[str, float]:
    """Window and clip figures, each in 0 to 1.

    ``frame_f1``, ``precision``, ``recall`` and ``accuracy`` are of windows at their own threshold, ``frame_f1_serving``
    at that of clips, which serving uses; ``clip_sure`` leaves clips out whose windows are all open.
    """
    truth, said = _called(scored, limits.window)
    _, serving = _called(scored, limits.clip)
    clips = np.array([one.take.is_scream for one in scored])
    heard = np.array([one.level > limits.clip[one.fold] for one in scored])
    sure = np.array([not one.take.is_scream or bool((one.labels >= 0).any()) for one in scored])
    scores, is_scream = _windows(scored)[1], _windows(scored)[0]
    return {
        "frame_f1": f1(truth, said),
        "frame_precision": float((truth & said).sum() / max(int(said.sum()), 1)),
        "frame_recall": float((truth & said).sum() / max(int(truth.sum()), 1)),
        "frame_accuracy": float(np.mean(truth == said)),
        "frame_f1_serving": f1(truth, serving),
        "frame_auc": auc(scores[~is_scream], scores[is_scream]),
        "clip_f1": f1(clips, heard),
        "clip_f1_sure": f1(clips[sure], heard[sure]),
        "clip_auc": auc(clip_levels(scored, scream=False), clip_levels(scored, scream=True)),
        "clip_recall": _mean(heard[clips]),
        "clip_recall_sure": _mean(heard[clips & sure]),
        "false_clips": _mean(heard[~clips]),
    }


def recall_of(scored: Sequence[ScoredTake], limits: Limits) -> float:
    """Share of clips that are called, 0 to 1; all of them hold a scream."""
    return _mean(np.array([one.level > limits.clip[one.fold] for one in scored]))


def by_fold(scored: Sequence[ScoredTake], limits: Limits) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over folds of each figure of :func:`quality`."""
    folds = sorted({one.fold for one in scored})
    each = [quality([one for one in scored if one.fold == fold], limits) for fold in folds]
    return {
        name: {
            "mean": float(np.mean([one[name] for one in each])),
            "sd": float(np.std([one[name] for one in each])),
        }
        for name in each[0]
    }


def by_kind(scored: Sequence[ScoredTake], limits: Limits) -> dict[str, dict[str, Any]]:
    """Of each kind: how many clips, how many are called a scream, and which; levels are above the threshold."""
    table: dict[str, dict[str, Any]] = {}
    for one in scored:
        above = one.level - limits.clip[one.fold]
        row = table.setdefault(one.take.kind, {"clips": 0, "called": 0, "highest": -np.inf, "wrong": []})
        row["clips"] += 1
        row["called"] += int(above > 0.0)
        row["highest"] = round(max(row["highest"], above), 2)
        if (above > 0.0) != one.take.is_scream and not one.take.is_synthetic:
            row["wrong"].append(one.take.name.rsplit("/", 1)[-1])
    return table


def _windows(scored: Sequence[ScoredTake]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Whether a window holds a scream, and its score, of all windows that are not open."""
    labels = np.concatenate([one.labels for one in scored])
    scores = np.concatenate([one.scores for one in scored]).astype(np.float64)
    return labels[labels >= 0] == 1, scores[labels >= 0]


def _called(
    scored: Sequence[ScoredTake], limits: Mapping[int, float]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    above = [one.scores > limits[one.fold] for one in scored]
    labels = np.concatenate([one.labels for one in scored])
    return labels[labels >= 0] == 1, np.concatenate(above)[labels >= 0]


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0
