"""The public API: which names there are, what importing it costs, and that arrays are scored as a device would be."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tocsin
import tocsin.schemas
from schemas.errors import InputError, SettingsError
from synthesis.scream import scream

RATE = 16_000


def test_exported_names() -> None:
    assert sorted(tocsin.__all__) == [
        "Publisher", "ScoredWindow", "Scorer", "alerts", "publish_model", "schemas", "score_file", "send_feedback",
        "train_model",
    ]  # fmt: skip
    assert set(tocsin.__all__) <= set(dir(tocsin))
    for name in tocsin.__all__:
        assert getattr(tocsin, name).__doc__, name
    for name in tocsin.schemas.__all__:
        assert hasattr(tocsin.schemas, name), name


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match="no attribute 'scor'; it has Publisher, ScoredWindow"):
        _ = tocsin.scor


def test_the_package_is_typed() -> None:
    assert (Path(inspect.getfile(tocsin)).parent / "py.typed").is_file()


@pytest.mark.subprocess
def test_importing_it_reads_no_heavy_library() -> None:
    code = "import tocsin, sys; print(sorted({'torch', 'faust', 'matplotlib', 'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def noise_and_scream() -> np.ndarray:
    samples = 0.003 * np.random.default_rng(3).standard_normal(6 * RATE)
    cry = scream(5)
    samples[2 * RATE : 2 * RATE + len(cry)] += 0.5 * cry / np.abs(cry).max()
    return samples


def test_a_scream_in_an_array_is_found_where_it_is() -> None:
    samples = noise_and_scream()

    windows = tocsin.Scorer("scream", sample_rate=RATE).push(samples)

    loud = [window.start_s for window in windows if window.exceeds]
    assert loud
    assert 1.0 <= min(loud) <= 2.5
    assert next(window.alert.state for window in windows if window.alert is not None) == "opened"
    assert all(window.end_s - window.start_s == pytest.approx(1.0, abs=0.05) for window in windows)
    assert all(window.record.device_id == "local" for window in windows)


def test_any_cut_of_the_array_gives_the_same_windows() -> None:
    samples = noise_and_scream()
    whole = tocsin.Scorer("scream", sample_rate=RATE).push(samples)
    pieces = tocsin.Scorer("scream", sample_rate=RATE)

    cut = [window for part in np.split(samples, [1, 700, 30_001, 30_002, 55_555]) for window in pieces.push(part)]

    assert [window.start_s for window in cut] == [window.start_s for window in whole]
    assert np.allclose([w.score for w in cut], [w.score for w in whole], atol=1e-4)


def test_a_file_is_scored_as_its_samples_are(tmp_path: Path) -> None:
    pcm = np.rint(noise_and_scream() * 32_767).astype(np.int16)
    soundfile.write(tmp_path / "clip.wav", pcm, RATE, subtype="PCM_16")

    from_file = tocsin.score_file(tmp_path / "clip.wav", detector="scream")
    from_array = tocsin.Scorer("scream", sample_rate=RATE).push(pcm)

    assert np.allclose([w.score for w in from_file], [w.score for w in from_array], atol=1e-4)
    assert len(from_file) >= 20


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.full(10, 1.5), "10 of 10 values lie beyond full scale \\(largest 1.5\\)"),
        (np.array([0.0, np.nan]), "sample 1 of channel 0 is nan"),
        (np.zeros((4, 2)), "shape \\(4, 2\\)"),
        (np.zeros(4, np.int32), "type int32: give int16, or float"),
    ],
)
def test_samples_that_cannot_be_scored_are_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tocsin.Scorer("scream", sample_rate=RATE).push(samples)


def test_a_scorer_needs_a_model_or_a_detector_and_a_rate_that_a_device_may_send() -> None:
    with pytest.raises(SettingsError, match="give --detector machine or scream, or --model FILE"):
        tocsin.Scorer(sample_rate=RATE)
    with pytest.raises(SettingsError, match="'nose': the detectors are machine, scream, leak"):
        tocsin.Scorer("nose", sample_rate=RATE)
    with pytest.raises(InputError, match="400 Hz"):
        tocsin.Scorer("scream", sample_rate=400)
