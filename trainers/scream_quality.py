"""How well a scream model does on clips: found and false ones, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from processors.core.detectors import SCREAM
from processors.core.recording import windows_of
from schemas.features import FeatureSpec
from trainers.evaluate import auc, confirmed, f1
from trainers.scream_sound import Take, frames_of, window_labels
from trainers.torch_model import scores_of

Float32 = npt.NDArray[np.float32]


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
        return confirmed(self.scores, SCREAM.confirm, SCREAM.among)


def score_takes(
    net: nn.Module, takes: Sequence[Take], spec: FeatureSpec, fold: int = 0, gain_db: float = 0.0
) -> list[ScoredTake]:
    """Scores takes at a gain."""
    scored = []
    for take in takes:
        frames = frames_of(take, spec, gain_db)
        starts = np.arange(0, len(frames) - spec.n_frames + 1, spec.window_hop, dtype=np.int64)
        labels = window_labels(take, frames, starts, spec.n_frames)
        scored.append(ScoredTake(take, fold, scores_of(net, windows_of(frames, spec)), labels))
    return scored


def window_scores(scored: Sequence[ScoredTake], label: int) -> npt.NDArray[np.float64]:
    """Scores of all windows with a label, float64 (n,)."""
    parts = [one.scores[one.labels == label] for one in scored]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def clip_levels(scored: Sequence[ScoredTake], *, scream: bool) -> npt.NDArray[np.float64]:
    """Confirmed scores of all clips with or without a scream, float64 (n,)."""
    return np.array([one.level for one in scored if one.take.is_scream == scream])


def quality(scored: Sequence[ScoredTake], threshold: float) -> dict[str, float]:
    """Window and clip figures at a threshold, each in 0 to 1."""
    screams, others = clip_levels(scored, scream=True), clip_levels(scored, scream=False)
    window_positive, window_negative = window_scores(scored, 1), window_scores(scored, 0)
    truth = np.concatenate([np.ones(len(window_positive), bool), np.zeros(len(window_negative), bool)])
    said = np.concatenate([window_positive, window_negative]) > threshold
    clip_truth = np.concatenate([np.ones(len(screams), bool), np.zeros(len(others), bool)])
    clip_said = np.concatenate([screams, others]) > threshold
    return {
        "frame_f1": f1(truth, said),
        "frame_auc": auc(window_negative, window_positive),
        "clip_f1": f1(clip_truth, clip_said),
        "clip_auc": auc(others, screams),
        "clip_recall": float(np.mean(screams > threshold)),
        "false_clips": float(np.mean(others > threshold)),
    }


def by_fold(scored: Sequence[ScoredTake], threshold: float) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over folds of each figure of :func:`quality`."""
    folds = sorted({one.fold for one in scored})
    each = [quality([one for one in scored if one.fold == fold], threshold) for fold in folds]
    return {
        name: {
            "mean": float(np.mean([one[name] for one in each])),
            "sd": float(np.std([one[name] for one in each])),
        }
        for name in each[0]
    }


def by_kind(scored: Sequence[ScoredTake], threshold: float) -> dict[str, dict[str, Any]]:
    """Of each kind: how many clips, how many are called a scream, and which."""
    table: dict[str, dict[str, Any]] = {}
    for one in scored:
        row = table.setdefault(one.take.kind, {"clips": 0, "called": 0, "highest": -np.inf, "wrong": []})
        row["clips"] += 1
        row["called"] += int(one.level > threshold)
        row["highest"] = round(max(row["highest"], one.level), 2)
        if (one.level > threshold) != one.take.is_scream and not one.take.is_synthetic:
            row["wrong"].append(one.take.name.rsplit("/", 1)[-1])
    return table
