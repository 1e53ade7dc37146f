"""`tocsin score --model`: a user-supplied model, tried before it is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import GoldenMismatch, ManifestInvalid, SettingsError
from tests.crafted import MACHINE, craft
from tocsin.cli.commands.score import score

pytestmark = pytest.mark.subprocess


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "hum.wav"
    soundfile.write(path, np.random.default_rng(3).normal(0, 0.05, 64_000), 16_000, subtype="PCM_16")
    return path


def test_the_given_model_scores(wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = craft(tmp_path / "own.onnx", "own", 3.0)

    score([wav], model=model, json=True)

    got = [json.loads(line)["score"] for line in capsys.readouterr().out.splitlines()]
    pcm, rate = soundfile.read(wav, dtype="int16")
    means = windows_of(rows_of(pcm, rate, MACHINE), MACHINE).mean(axis=(1, 2))
    np.testing.assert_allclose(got, 3.0 * means, rtol=1e-4)


def test_a_model_for_another_detector_is_refused(wav: Path, tmp_path: Path) -> None:
    model = craft(tmp_path / "own.onnx", "own", 3.0)

    with pytest.raises(SettingsError, match="for 'machine', not for scream"):
        score([wav], detector="scream", model=model)


def test_a_model_for_an_unknown_detector_is_refused(wav: Path, tmp_path: Path) -> None:
    model = craft(tmp_path / "own.onnx", "own", 3.0, detector="sirens")

    with pytest.raises(SettingsError, match="sirens"):
        score([wav], model=model)


def test_a_bad_model_is_refused(wav: Path, tmp_path: Path) -> None:
    model = craft(tmp_path / "own.onnx", "own", 3.0, golden_off=1.0)

    with pytest.raises(GoldenMismatch):
        score([wav], model=model)


def test_either_a_detector_or_a_model_is_needed(wav: Path) -> None:
    with pytest.raises(SettingsError, match="--model FILE"):
        score([wav])


def test_a_truncated_model_is_refused_with_what_to_do(wav: Path, tmp_path: Path) -> None:
    whole = craft(tmp_path / "own.onnx", "own", 3.0).read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole[:300])

    with pytest.raises(ManifestInvalid, match=r"cut\.onnx: 300 bytes .* copy the whole file"):
        score([wav], model=cut)
