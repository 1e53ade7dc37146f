"""Figures of models that learn from normal clips, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainers.data.loaders.clip import Clip
from trainers.recipes.one_class.data import WindowedClip
from trainers.recipes.one_class.quality import clip_metrics, metrics_by_machine


def windowed_clip(machine: str, label: str, level: float) -> WindowedClip:
    clip = Clip(Path(machine), machine, machine, "id_00", label, "", 16_000, 1, 100, snr_db=-6.0)
    return WindowedClip(clip, np.full(100, level, np.float32), np.zeros((2, 4, 3), np.float32))


def test_machines_with_different_normal_scores_are_measured_separately() -> None:
    clips = [
        windowed_clip(machine, label, level)
        for machine in ("fan", "pump")
        for label, level in (("normal", 0.1), ("normal", 0.2), ("abnormal", 0.15), ("abnormal", 0.3))
    ]
    offsets = np.repeat([0.0, 10.0], 4)
    scores = [base + np.array([bad, bad + 1.0]) for base, bad in zip(offsets, [0.0, 1.0, 3.0, 4.0] * 2, strict=True)]
    table = metrics_by_machine(clips, scores)
    assert table == {f"{name}/id_00/-6dB": {"clip_auc": 1.0, "level_auc": 0.75, "clips": 4} for name in ("fan", "pump")}
    # A healthy pump scores above a faulty fan.
    assert clip_metrics(clips, scores, 5.0)["clip_auc"] == pytest.approx(0.75)


def test_a_machine_without_both_kinds_has_no_figure() -> None:
    assert metrics_by_machine([windowed_clip("fan", "normal", 0.1)], [np.zeros(2)]) == {}
