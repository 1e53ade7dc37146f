"""An artefact's files: all of them or none, the same each time, and what they show."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os

import numpy as np
import onnx
import pytest
import torch
from matplotlib.image import imread
from torch import nn

from schemas.errors import ExportError, OutputError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration, Manifest, read_metadata
from trainers.evaluation import figures as pictures
from trainers.evaluation.direction import Direction
from trainers.example import Example
from trainers.experiments.transfer.experiment import TransferOptions
from trainers.export.artefact import INDEX, install, write
from trainers.export.golden import golden_windows
from trainers.export.torch_model import TorchModel
from trainers.files import write_together
from trainers.recipe import Trained

SPEC = FeatureSpec(n_frames=8, window_hop=4)


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        return self.gain * log_mel.square().mean(dim=(1, 2))


def trained(**further) -> Trained:
    return Trained(
        name="mean",
        detector="machine",
        model=TorchModel(Mean().eval()),
        spec=SPEC,
        calibration=Calibration(transfer="relative", threshold=3.0, spread=1.0, n=4, quantiles={"0.5": 2.0}),
        metrics={"clip_auc": 0.75},
        report={},
        trained_on="nothing",
        training_digest="0" * 64,
        golden=golden_windows(SPEC, 1),
        **further,
    )


FULL = {
    "scores": {"normal": np.arange(5.0), "abnormal": np.arange(3.0, 9.0)},
    "threshold": 3.5,
    "losses": {"training": [3.0, 2.0, 1.5], "validation": [3.0, 2.5, 2.5]},
    "examples": (Example("best", 1.0, np.ones((8, 64), np.float32), np.zeros((8, 64), np.float32)),),
    "direction": Direction("two-sided", 0.9, 0.8, {"leak": 0.9}, 0.1),
}


def test_everything_that_is_known_is_written(tmp_path):
    path = write(trained(**FULL), tmp_path, 7, "1.0.0")
    shown = {"loss", "scores", "roc", "confusion", "examples"}
    assert {one.name for one in tmp_path.iterdir()} == {"mean.onnx", "mean.json"} | {f"mean-{x}.png" for x in shown}
    manifest, golden, _ = read_metadata({prop.key: prop.value for prop in onnx.load(path).metadata_props})
    assert manifest.direction == "two-sided"
    assert manifest.metrics == {"clip_auc": 0.75, "direction_rising": 0.9, "direction_auc": 0.8}
    assert np.array_equal(golden, golden_windows(SPEC, 1))
    assert json.loads((tmp_path / "mean.json").read_text())["direction"]["rising_before"] == 0.1


def test_what_is_not_known_is_not_drawn(tmp_path):
    write(trained(), tmp_path, 7, "1.0.0")
    assert {one.name for one in tmp_path.iterdir()} == {"mean.onnx", "mean.json"}


def test_the_same_model_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        write(trained(**FULL), tmp_path / name, 7, "1.0.0")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_manifest_without_a_direction_is_still_read():
    old = json.loads(
        Manifest(
            model_id="m", version="1", detector="machine", features=SPEC, features_hash=SPEC.hash(),
            calibration=trained().calibration, trained_on="", training_digest="", code_revision="", seed=1, metrics={},
            parameters=1,
        ).model_dump_json()
    )  # fmt: skip
    del old["direction"]
    assert Manifest.model_validate(old).direction is None


def test_files_that_belong_together_are_all_there_or_none(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "wall").write_text("in the way")
    with pytest.raises(OutputError, match="wall"):
        write_together({tmp_path / "a": b"new", tmp_path / "wall" / "b": b"new"})
    assert (tmp_path / "a").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"a", "wall"}
    write_together({tmp_path / "a": b"new", tmp_path / "c" / "b": b"too"})
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "c" / "b").read_bytes() == b"too"


def test_a_model_whose_file_answers_otherwise_is_not_written_and_what_helps_is_told(tmp_path, monkeypatch):
    predict = TorchModel.predict
    monkeypatch.setattr(TorchModel, "predict", lambda self, windows: [one * 1.001 for one in predict(self, windows)])
    with pytest.raises(ExportError, match=r"'score' .* is off by 0\.001 of its size, not 1e-5: .*train for longer"):
        write(trained(), tmp_path, 3, "1.0.0")
    assert not list(tmp_path.iterdir())


def test_a_model_is_installed_with_its_place_in_the_index_or_not_at_all(tmp_path, monkeypatch):
    models = tmp_path / "models"
    install(write(trained(), tmp_path, 3, "1.0.0"), models)
    before = {path.name: path.read_bytes() for path in models.iterdir()}
    assert before.keys() == {INDEX, "mean.onnx"}
    assert hashlib.sha256(before["mean.onnx"]).hexdigest() == json.loads(before[INDEX])["machine"]["sha256"]
    newer = write(trained(), tmp_path, 4, "2.0.0")
    written = 0

    def full(_):
        nonlocal written
        written += 1
        if written > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=INDEX):
        install(newer, models)
    assert {path.name: path.read_bytes() for path in models.iterdir()} == before
    assert newer.read_bytes() != before["mean.onnx"]


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.ENOSPC, "No space left on device: free some disk space"), (errno.EIO, "error: choose another folder")],
)
def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path, monkeypatch, code, said):
    def failing(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OutputError, match=said):
        write_together({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert not list(tmp_path.iterdir())


def test_pictures_differ_with_what_they_show():
    scores = {"normal": np.arange(9.0), "abnormal": np.arange(4.0, 13.0)}
    other = {"normal": np.arange(9.0), "abnormal": np.arange(9.0)}
    for draw in (
        pictures.roc_and_precision,
        lambda s: pictures.histogram(s, 3.0),
        lambda s: pictures.confusion(s, 3.0),
    ):
        image = imread(io.BytesIO(draw(scores)))
        assert image.ndim == 3
        assert image.std() > 0.01
        assert draw(scores) != draw(other)
    assert pictures.confusion(scores, 3.0) != pictures.confusion(scores, 6.0)
    assert pictures.confusion(scores, 3.0, "forest") != pictures.confusion(scores, 3.0, "neighbours")


def test_a_preset_gives_way_to_what_is_set_besides():
    small = TransferOptions.parse({"preset": "small"})
    assert small.epochs == TransferOptions.presets["small"]["epochs"]
    assert TransferOptions.parse({"epochs": "3", "preset": "small"}).epochs == 3
    assert TransferOptions.parse({}) == TransferOptions()


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050])
def test_golden_windows_are_had_at_any_rate(rate):
    spec = FeatureSpec(sample_rate=rate, fmax=rate / 2, n_frames=20, window_hop=10, transform="log_mel")
    windows = golden_windows(spec, 2)
    assert windows.shape == (3, 20, 64)
    assert not np.array_equal(windows[0], windows[1])
