"""Figures of models that learn from normal clips, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainers.data.loaders.clip import Clip
from trainers.recipes.one_class.clips import HeardClip, by_machine, figures


def heard(machine: str, label: Label, level: float) -> HeardClip:
    clip = Clip(Path(machine), machine, machine, "id_00", label, "", 16_000, 1, 100, snr_db=-6.0)
    return HeardClip(clip, np.full(100, level, np.float32), np.zeros((2, 4, 3), np.float32))


def test_machines_that_score_otherwise_when_they_are_well_are_told_apart() -> None:
    sounds: list[tuple[Label, float]] = [("normal", 0.1), ("normal", 0.2), ("abnormal", 0.15), ("abnormal", 0.3)]
    clips = [heard(machine, label, level) for machine in ("fan", "pump") for label, level in sounds]
    usual = np.repeat([0.0, 10.0], 4)
    scores = [base + np.array([bad, bad + 1.0]) for base, bad in zip(usual, [0.0, 1.0, 3.0, 4.0] * 2, strict=True)]
    found = by_machine(clips, scores)
    assert found == {f"{name}/id_00/-6dB": {"clip_auc": 1.0, "level_auc": 0.75, "clips": 4} for name in ("fan", "pump")}
    # A pump that is well lies above a fan that is not.
    assert figures(clips, scores, 5.0)["clip_auc"] == pytest.approx(0.75)


def test_a_machine_without_both_kinds_has_no_figure() -> None:
    assert by_machine([heard("fan", "normal", 0.1)], [np.zeros(2)]) == {}
