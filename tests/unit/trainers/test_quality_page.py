"""The quality pages show the saved rows, synthetic ones apart from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.quality import row as rows
from benchmarks.quality.__main__ import rows_to_measure, write_pages
from benchmarks.quality.page import FOLDER, pages_of
from benchmarks.quality.row import Figure, Row, cost_of, figure_of, save_row, saved_rows
from schemas.features import FeatureSpec
from schemas.manifest import Calibration, Manifest
from trainers.export.golden import golden_windows
from trainers.export.onnx_export import export
from trainers.export.torch_model import TorchModel

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


def test_a_saved_row_is_read_back_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FOLDER", tmp_path / "quality")
    save_row("one", a_row())
    save_row("two", a_row(synthetic=True, file_kb=None, window_ms=None, figures={"f1": Figure(0.5, None, 1)}))
    assert saved_rows() == {
        "one": a_row(),
        "two": a_row(synthetic=True, file_kb=None, window_ms=None, figures={"f1": Figure(0.5, None, 1)}),
    }
    save_row("one", a_row(parameters=1))
    assert saved_rows()["one"].parameters == 1
    assert {path.name for path in (tmp_path / "quality").iterdir()} == {"one.json", "two.json"}


def test_real_rows_come_before_synthetic_ones_which_are_marked() -> None:
    rows = {"synthetic": a_row(synthetic=True), "recorded": a_row(note="of one day")}
    page = pages_of(rows, [])["quality-conv-ae.md"]
    real, _, synthetic = page.partition("## Synthetic sound")
    assert "| plain | a motor | clip auc 0.900 ± 0.050 (3 runs) | - | 1,234 | 57 kB | 0.89 ms | `recorded` |" in real
    assert "- `recorded`: of one day" in real
    assert "a motor *(synthetic)*" in synthetic
    assert "`synthetic`" not in real


def test_remarks_come_before_the_synthetic_rows() -> None:
    page = pages_of({"synthetic": a_row(synthetic=True), "recorded": a_row()}, [])["quality-conv-ae.md"]
    real, _, synthetic = page.partition("## Synthetic sound")
    assert synthetic.index("within a machine") < synthetic.index("`synthetic`")
    assert "within a machine" not in real


def test_every_recipe_has_a_page_that_the_overview_links() -> None:
    pages = pages_of({"a": a_row(recipe="zeta"), "b": a_row(recipe="iaia"), "c": a_row()}, ["conv-ae", "iaia"])
    for recipe, row in (("conv-ae", "c"), ("iaia", "b"), ("zeta", "a")):
        assert f"| `{row}` |" in pages[f"quality-{recipe}.md"]
        assert f"(quality-{recipe}.md)" in pages["quality.md"]
    assert "quality-leak.md" not in pages


def test_the_transfer_page_has_the_table_and_its_plot() -> None:
    page = pages_of({}, [], "| its | table |\n")["quality-transfer.md"]
    assert "| its | table |\n\n![" in page
    assert page.endswith("(transfer.png)\n")
    assert pages_of({}, []).keys() == {"quality.md"}


def test_the_targets_are_on_the_overview() -> None:
    pages = pages_of({"one": a_row()}, ["conv-ae"])
    assert [line for line in pages["quality.md"].splitlines() if line.startswith("## ")] == ["## Targets"]
    assert "## Machines" in pages["quality-shipped.md"]


def test_unmeasured_rows_are_named() -> None:
    pages = pages_of({"one": a_row()}, ["conv-ae"], "", ["two", "three"])
    assert "no saved measurement yet: `two`, `three`." in pages["quality.md"]
    assert "Not measured" not in pages_of({"one": a_row()}, ["conv-ae"])["quality.md"]


def test_the_pages_show_the_saved_rows(tmp_path: Path) -> None:
    write_pages(tmp_path)
    rendered = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert rendered == {path.name: path.read_bytes() for path in FOLDER.glob("quality*.md")} | {
        "transfer.png": (FOLDER / "transfer.png").read_bytes()
    }


def test_a_spread_needs_two_runs() -> None:
    assert figure_of([0.5]) == Figure(0.5, None, 1)
    assert figure_of([0.5, 0.7, 0.6]) == Figure(0.6, 0.1, 3)


def test_row_names_are_unique_and_rows_without_their_set_are_skipped(tmp_path: Path) -> None:
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
