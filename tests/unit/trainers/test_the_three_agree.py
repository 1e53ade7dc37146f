"""From a sound file to scores: `tocsin score`, the ONNX file by itself and the network it was made of say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from processors.adapters.models.onnx_model import load_shipped
from processors.core.audio.recording import rows_of, windows_of
from schemas.features import FeatureSpec
from schemas.manifest import Calibration, Manifest
from synthesis.machine import random_machine
from tocsin.cli.commands.score import score
from trainers.export.golden import golden_windows
from trainers.export.onnx_export import export
from trainers.export.torch_model import TorchModel
from trainers.recipes.conv_ae.features import front_of
from trainers.recipes.conv_ae.features import spec_of as conv_ae_spec
from trainers.recipes.conv_ae.network import ConvAeScore, ConvAutoencoder, DenseAutoencoder
from trainers.recipes.knn.data import ContinuousAudio
from trainers.recipes.knn.options import KnnOptions
from trainers.recipes.knn.recipe import train_knn
from trainers.recipes.machine.network import MachineNet
from trainers.recipes.machine.recipe import SPEC as MACHINE
from trainers.recipes.scream.network_family import network
from trainers.recipes.scream.options import SPEC as SCREAM
from trainers.recipes.scream.options import ScreamOptions, spec_of

pytestmark = pytest.mark.train

RATE = 16_000


def conv_ae(features: str) -> tuple[TorchModel, FeatureSpec]:
    spec = conv_ae_spec(features, "correct", 1)
    net = (
        DenseAutoencoder(spec.window_samples, [24, 8])
        if features == "raw"
        else ConvAutoencoder(normalised=True, decibels=True)
    )
    front = front_of(features, "correct", 1)
    bands = spec.transform == "log_mel"
    whole = ConvAeScore(front, net, decibels=features == "raw", bands=bands).eval()
    return TorchModel(whole, has_bands=bands, transform=spec.transform), spec


def eye_scream(name: str) -> tuple[TorchModel, FeatureSpec]:
    spec = spec_of(ScreamOptions(hop=4_096))
    return TorchModel(network(name, "log-mel", 8, 0.2).eval()), spec


def knn() -> Any:
    trained = train_knn([ContinuousAudio(sound(50.0), RATE, "")], "knn", "", 7, KnnOptions(window=2))
    return trained.model, trained.spec


MADE: dict[str, Callable[[], tuple[Any, FeatureSpec]]] = {
    "machine": lambda: (TorchModel(MachineNet().eval(), has_bands=True), MACHINE),
    "scream": lambda: (TorchModel(network("compact", "log-mel", 8, 0.2).eval()), SCREAM),
    "Eye-SCREAM, recurrent": lambda: eye_scream("C-RNN"),
    "conv-ae, log-mel": lambda: conv_ae("log-mel"),
    "conv-ae, raw": lambda: conv_ae("raw"),
    "knn": knn,
}


def sound(seconds: float) -> np.ndarray:
    return random_machine(5, "fan").sound.at(0, int(seconds * RATE)).astype(np.float32)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "fan.wav"
    soundfile.write(path, sound(5.0), RATE, subtype="PCM_16")
    return path


def told(capsys: pytest.CaptureFixture[str]) -> np.ndarray:
    return np.array([json.loads(line)["score"] for line in capsys.readouterr().out.splitlines()])


@pytest.mark.parametrize("name", MADE)
def test_to_a_hundred_thousandth(name: str, wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    model, spec = MADE[name]()
    detector = "scream" if "cream" in name else "machine"
    manifest = Manifest(
        model_id="m", version="1", detector=detector, features=spec, features_hash=spec.hash(),
        calibration=Calibration(transfer="own", threshold=0.0, spread=1.0, n=1, quantiles={}),
        trained_on="", training_digest="", code_revision="", seed=1, metrics={}, parameters=1,
    )  # fmt: skip
    path = tmp_path / "m.onnx"
    export(model, manifest, golden_windows(spec, 1), path)
    capsys.readouterr()
    score([wav], model=path, json=True)
    served = told(capsys)
    pcm, rate = soundfile.read(wav, dtype="int16")
    windows = windows_of(rows_of(pcm, rate, spec), spec)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (of_the_file,) = session.run(["score"], {spec.transform: windows})
    of_the_network = model.infer(windows)[0]
    assert len(served) == len(windows) >= 2
    assert np.ptp(of_the_network) > 0.0
    # Of the score, or of one, whichever is larger: scores are decibels or logits, whose zero means nothing.
    np.testing.assert_array_less(np.abs(served - of_the_file), 1e-5 * np.maximum(np.abs(of_the_file), 1.0))
    np.testing.assert_array_less(np.abs(of_the_file - of_the_network), 1e-5 * np.maximum(np.abs(of_the_file), 1.0))


@pytest.mark.parametrize("detector", ["machine", "scream"])
def test_the_shipped_files_score_librosas_features_alike(
    detector: str, wav: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way from a file's samples to a score, with nothing of ours but the network."""
    score([wav], detector=detector, json=True)
    served = told(capsys)
    model = load_shipped(detector)
    spec = model.spec
    samples, _ = soundfile.read(wav, dtype="float32")
    mel = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=spec.n_fft, hop_length=spec.hop, n_mels=spec.n_mels, fmin=spec.fmin, fmax=spec.fmax,
        center=False,
    )  # fmt: skip
    rows = librosa.power_to_db(mel, ref=1.0, amin=spec.log_floor, top_db=None).T
    views = np.lib.stride_tricks.sliding_window_view(rows, spec.n_frames, axis=0)[:: spec.window_hop].transpose(0, 2, 1)
    windows = (views - views.mean(axis=(1, 2), keepdims=True)).astype(np.float32)
    session = onnxruntime.InferenceSession(file_of(detector), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(["score"], {"log_mel": windows})
    np.testing.assert_allclose(served, wanted, atol=1e-3)


def file_of(detector: str) -> bytes:
    return (files("processors.shipped_models") / f"{detector}.onnx").read_bytes()
