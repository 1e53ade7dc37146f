"""The clip-statistics recipe: from sound and from an archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import ExportError, InputError, SettingsError, WrongLayout
from trainers.data.loaders.mimii import load_mimii
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.export.artefact import write
from trainers.export.sklearn_model import SklearnModel
from trainers.features.mfcc import WIDTH
from trainers.recipes.iaia.chain import fit_detector
from trainers.recipes.iaia.data import load_cells
from trainers.recipes.iaia.protocol import split_cells
from trainers.recipes.iaia.recipe import IaiaRecipe

pytestmark = pytest.mark.train

TINY = {"seeds": "1", "epochs": "2", "least_steps": "40", "batch": "16"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mimii") / "set"
    write_set("mimii", out, SetOptions(types=("fan",), ids=1, snr_db=(6.0,), clips=12, anomalies=4, seconds=1.5))
    return out


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(5)
    arrays = {}
    for snr in ("6dB", "-6dB"):
        for unit in ("id_00", "id_02"):
            arrays[f"{snr}/{unit}/normal"] = rng.normal(0.0, 1.0, (40, WIDTH)).astype(np.float32)
            arrays[f"{snr}/{unit}/abnormal"] = rng.normal(1.0, 1.0, (10, WIDTH)).astype(np.float32)
    path = tmp_path_factory.mktemp("archive") / "fan.npz"
    np.savez(path, **arrays)
    return path


def test_sound_becomes_one_file_that_scores_sound_as_scikit_learn_does(sound: Path, tmp_path: Path) -> None:
    trained = IaiaRecipe().train(sound, 3, TINY)
    path = write(trained, tmp_path, 3, "1.0.0")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    sounds = rng.normal(0.0, 0.1, (5, trained.spec.window_samples)).astype(np.float32)
    windows = np.concatenate([windows_of(rows_of(one, 16_000, trained.spec), trained.spec) for one in sounds])
    (scores,) = session.run(["score"], {"waveform": windows})
    assert np.allclose(scores, trained.model.infer(windows)[0], rtol=1e-4, atol=1e-4)
    assert trained.report["onnx_against_sklearn"]["flips"] == 0.0
    assert trained.report["features_against_numpy"] < 1e-3
    assert {"iaia-lof-6dB-confusion.png", "iaia-loss.png", "iaia-examples.png", "iaia.json"} <= {
        one.name for one in tmp_path.iterdir()
    }
    assert all(len(losses) > 1 for losses in trained.losses.values())
    assert [one.title.split(",")[0] for one in trained.examples] == ["normal", "normal", "abnormal", "abnormal"]
    assert all(one.features.shape == one.reconstruction.shape == (1, WIDTH) for one in trained.examples)
    clips = {clip.samples(16_000).tobytes(): clip.label for clip in load_mimii(sound)}
    assert [clips[one.samples.tobytes()] for one in trained.examples] == ["normal", "normal", "abnormal", "abnormal"]


@pytest.mark.parametrize("detector", ["if", "ocsvm", "lof"])
def test_every_detector_becomes_part_of_the_graph_and_scores_what_is_far_higher(detector: str) -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(0.0, 1.0, (120, 4)).astype(np.float32)
    front = torch.nn.Flatten()
    model = SklearnModel(front, fit_detector(detector, rows, 0), 4, 1, "waveform")
    windows = np.concatenate([rows[:20], 6.0 + rows[:20]]).reshape(-1, 2, 2)
    graph = model.graph(windows)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["score"], {"waveform": windows})
    assert scores.shape == (40,)
    assert np.allclose(scores, model.infer(windows)[0], rtol=1e-4, atol=1e-4)
    assert scores[20:].min() > scores[:20].max()
    assert {(one.domain, one.version) for one in graph.opset_import} == {("", 18), ("ai.onnx.ml", 3)}


def test_an_archive_gives_figures_and_no_model(archive: Path, tmp_path: Path) -> None:
    trained = IaiaRecipe().train(archive, 3, {**TINY, "protocol": "source"})
    path = write(trained, tmp_path, 3, "1.0.0")
    assert path.name == "iaia.json"
    assert not list(tmp_path.glob("*.onnx"))
    figures = json.loads(path.read_text())
    assert figures["metrics"].keys() == {f"auc_{name}_{snr}_dB" for name in ("if", "ocsvm", "lof") for snr in (6, -6)}
    assert 0.0 <= figures["report"]["false_alarms"]["lof"]["6 dB"]["share_of_normal_clips"] <= 1.0


def test_clean_trains_on_no_test_clip_and_source_scales_by_them(archive: Path) -> None:
    cells = load_cells(archive, "fan", density=False)
    for snr_db in (6.0, -6.0):
        cells.cell(snr_db, "id_00").normal[:10] += 100.0
    clean, source = split_cells(cells, "clean"), split_cells(cells, "source")
    assert clean.scaling.max() < 50.0
    assert clean.denoising.max() < 50.0
    assert max(cell.train.max() for cell in clean.splits) < 50.0
    assert [len(cell.normal) for cell in clean.splits] == [10, 10, 10, 10]
    assert source.scaling.max() > 50.0


def test_source_has_the_sizes_of_iaia2_where_there_are_as_many_clips(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for unit in ("id_00", "id_02", "id_04"):
        arrays[f"6dB/{unit}/normal"] = rng.normal(0.0, 1.0, (900, WIDTH)).astype(np.float32)
        arrays[f"6dB/{unit}/abnormal"] = rng.normal(0.0, 1.0, (150, WIDTH)).astype(np.float32)
    np.savez(tmp_path / "pump.npz", **arrays)
    split = split_cells(load_cells(tmp_path, "pump", density=True), "source")
    assert [(one.unit, len(one.train), len(one.normal), len(one.abnormal)) for one in split.splits] == [
        ("id_00", 643, 138, 137),
        ("id_04", 448, 96, 96),
    ]
    assert len(split.denoising) == 231 + 162


def test_an_export_that_orders_otherwise_is_refused() -> None:
    rows = np.random.default_rng(0).normal(0.0, 1.0, (60, 4)).astype(np.float32)

    class Inverted:
        def decision_function(self, given: Any) -> Any:
            return -fit_detector("ocsvm", rows, 0).decision_function(given)

    right, wrong = (SklearnModel.__new__(SklearnModel) for _ in range(2))
    right._estimator = fit_detector("ocsvm", rows, 0)
    right._width = wrong._width = 4
    wrong._estimator, wrong._detector = Inverted(), right._detector  # type: ignore[method-assign]
    assert right.agreement(rows, 0.0).rank_correlation == 1.0
    with pytest.raises(ExportError, match="rank correlation -1"):
        wrong.agreement(rows, 0.0)


def test_unusable_data_and_settings_are_reported(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data"):
        IaiaRecipe().train(None, 3, {})
    with pytest.raises(SettingsError, match="toaster"):
        IaiaRecipe().train(archive, 3, {"machine": "toaster"})
    with pytest.raises(SettingsError, match="usual"):
        IaiaRecipe().train(archive, 3, {"protocol": "usual"})
    with pytest.raises(SettingsError, match="12 dB"):
        IaiaRecipe().train(archive, 3, {"snr_db": "12"})
    with pytest.raises(SettingsError, match="'loud'; it must be a number of dB"):
        IaiaRecipe().train(archive, 3, {"snr_db": "loud"})
    few = tmp_path / "fan.npz"
    np.savez(few, **{f"6dB/id_00/{kind}": np.ones((3, WIDTH), np.float32) for kind in ("normal", "abnormal")})
    with pytest.raises(WrongLayout, match="at least 4"):
        IaiaRecipe().train(few, 3, TINY)
