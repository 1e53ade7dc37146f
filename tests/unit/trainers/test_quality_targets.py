"""Targets are checked against the rows, and shipped models are listed with cost and quality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.quality.__main__ import rows_to_measure
from benchmarks.quality.label import figures_of as proposed
from benchmarks.quality.row import Figure, Row
from benchmarks.quality.scream import NETWORKS, figures_of
from benchmarks.quality.shipped import MACHINES, SCREAMS, section, share_of_a_core, windows_a_second
from benchmarks.quality.targets import TARGETS, Check, Target, table_of
from schemas.features import FeatureSpec
from trainers.labelling.segments import Segment
from trainers.recipes.registry import RECIPES
from trainers.recipes.scream.network_family import MODELS

pytestmark = pytest.mark.train

TARGET = Target("a motor", "AUC >= .88", ".84", "one", (Check("auc", least=0.88),), "it drifts")


def a_row(auc: float) -> Row:
    return Row("knn", "plain", "a motor", False, 10, 1.0, 0.2, {"auc": Figure(auc, None, 1)})


def test_a_target_is_reached_missed_or_not_measured() -> None:
    assert "auc 0.880 | reached | `one` |" in table_of({"one": a_row(0.8796)}, (TARGET,))
    missed = table_of({"one": a_row(0.8794)}, (TARGET,))
    assert "auc 0.879 | **missed** | `one` |" in missed
    assert "- a motor: it drifts." in missed
    for rows in ({}, {"other": a_row(0.9)}):
        assert "| - | not measured | `one` |" in table_of(rows, (TARGET,))
    assert "it drifts" not in table_of({"one": a_row(0.9)}, (TARGET,))


@pytest.mark.parametrize(
    ("check", "inside", "outside"),
    [
        (Check("x", least=0.95), 0.95, 0.949),
        (Check("x", most=0.02), 0.02, 0.021),
        (Check("x", near=0.979), 0.969, 0.968),
        (Check("x", near=0.979), 0.989, 0.990),
    ],
)
def test_bounds_are_inclusive(check: Check, inside: float, outside: float) -> None:
    assert check.holds(inside)
    assert not check.holds(outside)


def test_every_target_and_candidate_names_a_known_row() -> None:
    known = rows_to_measure()
    assert {target.row for target in TARGETS} <= known.keys()
    assert {name for one in (*MACHINES, *SCREAMS) for name in one.rows} <= known.keys()


def test_figures_of_proposed_labels() -> None:
    def segment(text: str) -> Any:
        return Segment("a.wav", 0.0, 1.0, 0.0, text, np.zeros((1, 64), np.float32))

    found = [
        (True, [segment("? scream"), segment("other")]),
        (True, [segment("? other")]),
        (False, [segment("scream")]),
        (False, []),
    ]
    figures = {name: figure.mean for name, figure in proposed(found, 1.5).items()}
    assert list(figures.values()) == [0.5, 0.5, 0.5, 1.0, 1.5]


def test_every_recipe_and_every_scream_network_has_rows() -> None:
    known = rows_to_measure()
    for name in (*RECIPES, "label"):
        assert any(row.startswith(name) for row in known), name
    assert {settings.get("model", "compact") for settings in NETWORKS.values()} == set(MODELS)


def test_the_cost_of_a_thousand_devices() -> None:
    spec = FeatureSpec(n_frames=96, window_hop=50)
    assert windows_a_second(spec) == 1.0
    assert share_of_a_core(a_row(0.9), spec) == pytest.approx(0.2)


def test_a_candidate_without_measurement_is_left_out() -> None:
    page = section({"knn-motor": a_row(0.88), "knn-bearing": a_row(1.0)})
    assert "| **knn**, trained by `tocsin learn` | auc 0.880 (`knn-motor`)<br>auc 1.000 (`knn-bearing`) |" in page
    assert "**machine**, shipped" not in page
    assert "20 %" in page


def test_scream_figures_have_the_folds_deviation_where_there_is_one() -> None:
    kinds = {
        "positive": {"called": 9, "clips": 10},
        "baby": {"called": 1, "clips": 4},
        "rain": {"called": 0, "clips": 4},
    }
    report = {"folds": {"clip_recall": {"mean": 0.9, "sd": 0.03}}, "kinds": kinds}
    figures = figures_of({"cv_clip_recall": 0.91, "cv_mixed_0_db_clip_recall": 0.8}, report)
    assert figures == {
        "clip recall": Figure(0.91, 0.03, 5),
        "clip recall before a room, 0 dB": Figure(0.8, None, 1),
        "false clips of the worst class": Figure(0.25, None, 1),
    }
