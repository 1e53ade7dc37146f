"""Figures are taken at thresholds that other folds chose."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.recipes.scream.data import LabelledRecording
from trainers.recipes.scream.quality import (
    FoldThresholds,
    ScoredRecording,
    by_kind,
    fold_thresholds,
    quality,
    recall_of,
)

pytestmark = pytest.mark.train


def _scored(
    fold: int, scores: list[float], labels: list[int], *, scream: bool, kind: str = "k", name: str = "scream/a"
) -> ScoredRecording:
    recording = LabelledRecording(name, kind, "s", np.zeros(4, np.float32), 16_000, scream, is_synthetic=False)
    return ScoredRecording(recording, fold, np.array(scores, np.float32), np.array(labels, np.int8))


def _fold(fold: int, above: float) -> list[ScoredRecording]:
    """Screams that score ``above`` and others that score 1 below that."""
    screams = [_scored(fold, [above] * 4, [1] * 4, scream=True) for _ in range(20)]
    return screams + [_scored(fold, [above - 1.0] * 4, [0] * 4, scream=False) for _ in range(60)]


def test_a_folds_threshold_is_chosen_by_the_others() -> None:
    scored = _fold(0, 2.0) + _fold(1, 5.0)
    thresholds = fold_thresholds(scored)
    assert thresholds.clip == {0: pytest.approx(4.5), 1: pytest.approx(1.5)}
    figures = quality(scored, thresholds)
    assert figures["clip_recall"] == 0.5
    assert figures["false_clips"] == 0.5
    assert figures["clip_auc"] == pytest.approx(0.75)


def test_uncertain_windows_are_not_counted_and_clips_of_nothing_else_are_separate() -> None:
    thresholds = FoldThresholds({0: 0.0}, {0: 1.0})
    scored = [
        _scored(0, [2.0, 0.5, 2.0, -3.0], [1, 1, -1, -1], scream=True),
        _scored(0, [-2.0, -2.0], [-1, -1], scream=True),
        _scored(0, [2.0, -1.0, -1.0], [0, 0, 0], scream=False),
    ]
    figures = quality(scored, thresholds)
    assert (figures["frame_precision"], figures["frame_recall"], figures["frame_accuracy"]) == (0.5, 0.5, 0.6)
    assert figures["frame_f1"] == 0.5
    assert figures["frame_f1_serving"] == pytest.approx(0.8)
    assert (figures["clip_recall"], figures["clip_recall_sure"], figures["false_clips"]) == (0.5, 1.0, 0.0)
    assert recall_of(scored[:2], thresholds) == 0.5


def test_false_clips_are_named_by_kind() -> None:
    scored = [
        _scored(0, [3.0, 3.0], [0, 0], scream=False, kind="rooster", name="sounds/loud.ogg"),
        _scored(0, [-3.0, -3.0], [0, 0], scream=False, kind="rooster", name="sounds/soft.ogg"),
        _scored(0, [3.0, 3.0], [1, 1], scream=True, kind="positive"),
    ]
    table = by_kind(scored, FoldThresholds({0: 1.0}, {0: 1.0}))
    assert table["rooster"] == {"clips": 2, "called": 1, "highest": 2.0, "wrong": ["loud.ogg"]}
    assert table["positive"]["wrong"] == []
