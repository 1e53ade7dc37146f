"""The page of quality: what is kept is shown, made sound apart from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.quality import row as rows
from benchmarks.quality.__main__ import rows_to_measure
from benchmarks.quality.page import page_of
from benchmarks.quality.row import Figure, Row, cost_of, figure_of, keep_row, kept_rows
from schemas.features import FeatureSpec
from schemas.manifest import Calibration, Manifest
from trainers.export import export
from trainers.golden import golden_windows
from trainers.torch_model import TorchModel

pytestmark = pytest.mark.train


def a_row(**changed: Any) -> Row:
    fields: dict[str, Any] = {
        "recipe": "conv-ae",
        "variant": "plain",
        "on": "a motor",
        "synthetic": False,
        "parameters": 1_234,
        "file_kb": 56.7,
        "window_ms": 0.891,
        "figures": {"clip auc": Figure(0.9, 0.05, 3)},
    }
    return Row(**(fields | changed))


def test_a_kept_row_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FOLDER", tmp_path / "quality")
    keep_row("one", a_row())
    keep_row("two", a_row(synthetic=True, file_kb=None, window_ms=None, figures={"f1": Figure(0.5, None, 1)}))
    assert kept_rows() == {
        "one": a_row(),
        "two": a_row(synthetic=True, file_kb=None, window_ms=None, figures={"f1": Figure(0.5, None, 1)}),
    }
    keep_row("one", a_row(parameters=1))
    assert kept_rows()["one"].parameters == 1
    assert {path.name for path in (tmp_path / "quality").iterdir()} == {"one.json", "two.json"}


def test_real_rows_stand_before_synthetic_ones_and_these_are_marked() -> None:
    page = page_of({"made": a_row(synthetic=True), "heard": a_row(note="of one day")}, ["conv-ae"])
    real, _, made = page.partition("## Synthetic sound")
    assert "| plain | a motor | clip auc 0.900 ± 0.050 (3 runs) | - | 1,234 | 57 kB | 0.89 ms | `heard` |" in real
    assert "- `heard`: of one day" in real
    assert "### conv-ae (synthetic)" in made
    assert "a motor *(synthetic)*" in made
    assert "`made`" not in real


def test_what_must_be_known_of_synthetic_rows_stands_above_them() -> None:
    page = page_of({"made": a_row(synthetic=True), "heard": a_row()}, ["conv-ae"])
    real, _, made = page.partition("## Synthetic sound")
    assert made.index("within a machine") < made.index("`made`")
    assert "within a machine" not in real


def test_recipes_stand_in_their_order_and_none_is_lost() -> None:
    page = page_of({"a": a_row(recipe="zeta"), "b": a_row(recipe="iaia"), "c": a_row()}, ["conv-ae", "iaia"])
    places = [page.index(f"### {name}\n") for name in ("conv-ae", "iaia", "zeta")]
    assert places == sorted(places)


def test_the_transfer_study_stands_on_the_page() -> None:
    page = page_of({}, [], "| its | table |\n")
    assert "| its | table |\n\n![" in page.partition("## Transfer")[2]
    assert page.endswith("(../benchmarks/results/transfer/transfer.png)\n")
    assert "## Transfer" not in page_of({}, [])


def test_aims_stand_first_and_what_ships_last() -> None:
    page = page_of({"one": a_row()}, ["conv-ae"])
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == ["## What was to be reached", "## Real recordings", "## What ships, and why"]


def test_what_was_not_measured_is_named() -> None:
    assert "measure them yet: `two`, `three`." in page_of({"one": a_row()}, ["conv-ae"], "", ["two", "three"])
    assert "Not measured" not in page_of({"one": a_row()}, ["conv-ae"])


def test_a_spread_needs_two_runs() -> None:
    assert figure_of([0.5]) == Figure(0.5, None, 1)
    assert figure_of([0.5, 0.7, 0.6]) == Figure(0.6, 0.1, 3)


def test_every_row_has_a_name_of_its_own_and_is_passed_over_where_its_set_is_not(tmp_path: Path) -> None:
    known = rows_to_measure()
    assert {"conv-ae-motor", "conv-ae-published-1s", "mimii-ae-fan"} <= known.keys()
    for name in ("conv-ae-motor", "conv-ae-published-2s", "mimii-ae-motor", "mimii-ae-published"):
        assert known[name](None) is None
        assert known[name](tmp_path) is None


def test_the_cost_of_a_file_is_measured(tmp_path: Path) -> None:
    class Mean(nn.Module):
        def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
            return log_mel.mean(dim=(1, 2))

    spec = FeatureSpec(n_frames=8, window_hop=4)
    manifest = Manifest(
        model_id="m", version="1", detector="machine", features=spec, features_hash=spec.hash(),
        calibration=Calibration(transfer="relative", threshold=0.0, spread=1.0, n=1, quantiles={}),
        trained_on="", training_digest="", code_revision="", seed=1, metrics={}, parameters=1,
    )  # fmt: skip
    export(TorchModel(Mean().eval()), manifest, golden_windows(spec, 1), tmp_path / "m.onnx")
    file_kb, window_ms = cost_of(tmp_path / "m.onnx")
    assert file_kb == pytest.approx((tmp_path / "m.onnx").stat().st_size / 1_000, abs=0.1)
    assert np.isfinite(window_ms)
    assert window_ms >= 0.0
