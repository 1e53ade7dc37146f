"""The conv-ae recipe: every form trains, published weights load, and its features are those it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import librosa
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import InputError, SettingsError, UnreadableInput
from schemas.manifest import Manifest, read_metadata
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.export.artefact import write
from trainers.recipe import Trained
from trainers.recipes.conv_ae.features import CompatFeatures, CorrectFeatures, spec_of
from trainers.recipes.conv_ae.network import ConvAutoencoder
from trainers.recipes.conv_ae.recipe import ConvAeRecipe
from trainers.recipes.conv_ae.weights import load_weights

pytestmark = pytest.mark.train

TINY = {"epochs": "2", "least_steps": "1", "batch": "16", "hidden": "24,8", "code": "8"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "set"
    write_set("folders", root, SetOptions(("fan",), 1, (6.0,), clips=5, anomalies=2, seconds=2.5, seed=3))
    return root


def serves(trained: Trained, path: Path) -> Manifest:
    """The file answers as its golden vectors say, in batches of any size."""
    metadata = {prop.key: prop.value for prop in onnx.load(path).metadata_props}
    manifest, windows, scores = read_metadata(metadata)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answer,) = session.run(["score"], {manifest.features.transform: windows[:2]})
    assert np.allclose(answer, scores[:2], rtol=1e-5, atol=1e-5)
    assert np.allclose(trained.model.infer(windows)[0], scores, rtol=1e-5, atol=1e-5)
    return manifest


@pytest.mark.parametrize(
    ("features", "form", "mode", "seconds"),
    [
        ("log-mel", "batchnorm", "compat", 2),
        ("mel", "plain", "correct", 2),
        ("log-mel", "vae", "correct", 1),
        ("mel", "vae-1d", "compat", 1),
        ("raw", "dense", "compat", 1),
    ],
)
def test_every_form_becomes_a_file_that_serves(
    data: Path, tmp_path: Path, features: str, form: str, mode: str, seconds: float
) -> None:
    settings = TINY | {"features": features, "form": form, "mode": mode, "seconds": str(seconds)}
    trained = ConvAeRecipe().train(data, 3, settings)
    manifest = serves(trained, write(trained, tmp_path, 3, "1.0.0"))
    assert manifest.features.transform == ("log_mel" if mode == "correct" and features != "raw" else "waveform")
    assert manifest.features.window_seconds == pytest.approx(seconds, abs=0.02)
    assert manifest.direction in ("rising", "two-sided")
    assert trained.losses["training"][-1] < 1.5 * trained.losses["training"][0]
    assert 0.0 <= manifest.metrics["window_auc"] <= 1.0
    assert {one.title.split(",")[0] for one in trained.examples} == {"normal", "abnormal"}
    assert all(one.features.shape == one.reconstruction.shape and one.features.shape[1] > 1 for one in trained.examples)


def test_figures_report_sweep_test_and_pictures(data: Path, tmp_path: Path) -> None:
    trained = ConvAeRecipe().train(data, 3, TINY)
    write(trained, tmp_path, 3, "1.0.0")
    figures = json.loads((tmp_path / "conv-ae.json").read_text())
    report = figures["report"]
    assert sum(report["clips"].values()) == 7
    assert report["generated_anomalies"] is False
    best = max(row["balanced"] for row in report["threshold_sweep"])
    thresholds = [row["threshold"] for row in report["threshold_sweep"] if row["balanced"] == best]
    assert min(thresholds) <= figures["manifest"]["calibration"]["threshold"] <= max(thresholds)
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"conv-ae-{what}.png" for what in ("loss", "scores", "roc", "confusion", "examples")
    }


def test_without_abnormal_clips_generated_ones_are_measured_on(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "normal", tmp_path / "set" / "normal")
    trained = ConvAeRecipe().train(tmp_path / "set", 3, TINY)
    assert trained.report["generated_anomalies"] is True


def test_the_same_seed_gives_the_same_model(data: Path) -> None:
    first, again, other = (ConvAeRecipe().train(data, seed, TINY) for seed in (3, 3, 4))
    windows = first.golden
    assert np.array_equal(first.model.infer(windows)[0], again.model.infer(windows)[0])
    assert not np.array_equal(first.model.infer(windows)[0], other.model.infer(windows)[0])


@pytest.mark.parametrize("seconds", [1, 2])
def test_compat_features_are_those_of_librosa_called_without_a_rate(seconds: int) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(16_000 * seconds) / 16_000
    sound = (0.05 * rng.standard_normal(len(t)) + 0.3 * np.sin(2 * np.pi * 700 * t)).astype(np.float32)
    hop = {1: 202, 2: 201}[seconds]
    mel = librosa.feature.melspectrogram(y=sound, n_fft=400, hop_length=hop, n_mels=40)
    rows = torch.from_numpy(sound.reshape(1, -1, 400))
    assert np.allclose(CompatFeatures(seconds, power=True)(rows)[0], mel, rtol=1e-4, atol=1e-6)
    expected = librosa.power_to_db(mel, ref=np.max)
    assert np.abs(CompatFeatures(seconds, power=False)(rows)[0].numpy() - expected).max() < 1e-3
    right = librosa.feature.melspectrogram(y=sound, sr=16_000, n_fft=400, hop_length=hop, n_mels=40)
    assert np.abs(librosa.power_to_db(right, ref=np.max) - expected).max() > 10.0


def test_correct_features_do_not_change_with_gain() -> None:
    spec = spec_of("log-mel", "correct", 1)
    sound = 0.1 * np.random.default_rng(2).standard_normal(20_000).astype(np.float32)
    loud, quiet = (
        CorrectFeatures(power=False)(torch.from_numpy(windows_of(rows_of(gain * sound, 16_000, spec), spec)))
        for gain in (1.0, 0.05)
    )
    assert torch.allclose(loud, quiet, atol=1e-3)
    assert loud.max() == 0.0
    assert loud.shape == (1, 40, 80)


def test_published_weights_become_an_artefact(data: Path, tmp_path: Path) -> None:
    """Two files of this form were published; here they are made anew, with weights of our own."""
    torch.manual_seed(1)
    net = ConvAutoencoder(normalised=True, decibels=True)
    assert sum(weights.numel() for weights in net.parameters()) == 257_761
    torch.save(net.state_dict(), tmp_path / "ae.pt")
    settings = {"mode": "compat", "weights": str(tmp_path / "ae.pt")}
    trained = ConvAeRecipe().train(data, 3, settings)
    serves(trained, write(trained, tmp_path / "out", 3, "1.0.0"))
    assert trained.losses == {}
    assert "published" in trained.trained_on
    assert str(tmp_path) not in json.dumps(trained.report)


def test_weights_of_another_form_are_refused(data: Path, tmp_path: Path) -> None:
    torch.save({"encoder.0.weight": torch.zeros(2)}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    torch.save({"net": {"weight": torch.zeros(2)}, "epoch": 3}, tmp_path / "checkpoint.pt")
    messages = {
        "other.pt": "has other layers",
        "checkpoint.pt": "has other layers",
        "text.pt": "is not a torch state dict",
        "module.pt": "is not a torch state dict",
        "none.pt": "cannot be read: No such file",
    }
    for name, message in messages.items():
        with pytest.raises(UnreadableInput, match=f"{name} {message}") as caught:
            load_weights(ConvAutoencoder(normalised=True, decibels=True), tmp_path / name)
        assert len(str(caught.value).replace(str(tmp_path), "").splitlines()) == 1
        assert "weights_only" not in str(caught.value)
    with pytest.raises(UnreadableInput, match=r"other\.pt"):
        ConvAeRecipe().train(data, 3, {"weights": str(tmp_path / "other.pt")})


def test_training_starts_at_the_level_of_its_input() -> None:
    torch.manual_seed(0)
    rows = -35.0 + 6.0 * torch.randn(20, 40, 80)
    net = ConvAutoencoder(normalised=True, decibels=True)
    before = net.loss(rows).item()
    net.start_at(rows)
    assert before > 1_000.0
    assert net.loss(rows).item() < 100.0
    assert set(net.state_dict()) == set(ConvAutoencoder(normalised=True, decibels=True).state_dict())
    assert not {"offset", "scale"} & set(net.state_dict())
    plain = ConvAutoencoder(normalised=False, decibels=True)
    before = plain.loss(rows).item()
    plain.start_at(rows)
    assert plain.loss(rows).item() == before
    powers = 0.03 * torch.rand(20, 40, 80)
    plain = ConvAutoencoder(normalised=False, decibels=False)
    before = plain.loss(powers).item()
    plain.start_at(powers)
    assert before > 0.1
    assert plain.loss(powers).item() < 0.001
    plain.start_at(torch.zeros(20, 40, 80))
    assert np.isfinite(plain.loss(powers).item())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"features": "cepstra"}, "'cepstra'; it must be 'raw', 'mel' or 'log-mel'"),
        ({"form": "gan"}, "'gan'"),
        ({"mode": "wrong"}, "'wrong'"),
        ({"seconds": "3"}, "'3'; it must be 1 or 2"),
        ({"features": "raw"}, "'raw'"),
        ({"form": "dense"}, "'dense'"),
        ({"form": "vae", "weights": "x.pt"}, r"x\.pt"),
        ({"machine": "toaster"}, "'toaster'"),
        ({"snr": "loud"}, "'loud'"),
        ({"preset": "tiny"}, "'tiny'"),
        ({"features": "raw", "form": "dense", "hidden": "many"}, "'many'"),
    ],
)
def test_settings_that_mean_nothing_are_named(data: Path, settings: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        ConvAeRecipe().train(data, 3, settings)


def test_it_needs_a_set() -> None:
    with pytest.raises(InputError, match="--data"):
        ConvAeRecipe().train(None, 3, {})
