"""The feature specification: valid combinations, and hashes that must never change."""

from __future__ import annotations

import json
from importlib import resources

import pytest
from pydantic import ValidationError

from processors.adapters.models.onnx_model import load_shipped
from schemas.features import FeatureSpec

# What the shipped models' files say, and what frames of theirs are shared by.
SHIPPED = {
    "machine": "8d817d6fd6634c543180155a4f550200dc9dd53e70d46a0ece001fc45c49889d",
    "scream": "3a95b97a30be4715e67ec84e0e71f34302661c9c8756bf5d2d258f73cd6b14ad",
}
FRONT_END = "19de398eb89ebe9cb33c6854f8e447da84f9972ae18718469b8fc52725593b1b"

WAVEFORM = {"transform": "waveform", "n_fft": 512, "win_length": 512, "hop": 512, "level": "none"}


@pytest.mark.parametrize("detector", SHIPPED)
def test_later_fields_do_not_change_the_hash_of_older_models(detector: str) -> None:
    spec = load_shipped(detector).manifest.features
    assert spec.hash() == SHIPPED[detector]
    assert spec.front_end() == FRONT_END
    assert detector in json.loads((resources.files("processors.shipped_models") / "index.json").read_text())


def test_what_changes_the_input_changes_the_hash() -> None:
    plain = FeatureSpec(n_frames=10, window_hop=1)
    pooled = FeatureSpec(n_frames=10, window_hop=1, pool=50)
    waveform = FeatureSpec(n_frames=10, window_hop=1, **WAVEFORM)
    assert len({plain.hash(), pooled.hash(), waveform.hash()}) == 3
    assert plain.front_end() == pooled.front_end() != waveform.front_end()


def test_a_row_has_a_frames_columns_or_twice_as_many() -> None:
    assert FeatureSpec(n_frames=10, window_hop=1).width == 64
    assert FeatureSpec(n_frames=10, window_hop=1, pool=2, n_mels=128).width == 256
    waveform = FeatureSpec(n_frames=10, window_hop=1, **WAVEFORM)
    assert (waveform.width, waveform.window_samples) == (512, 5_120)


def test_a_pooled_window_spans_all_its_frames() -> None:
    spec = FeatureSpec(n_frames=10, window_hop=1, pool=50)
    assert spec.window_samples == 499 * 320 + 1_024


@pytest.mark.parametrize("wrong", [{"hop": 256}, {"level": "window-mean"}, {"pool": 2}])
def test_a_waveform_that_is_not_computed_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="a waveform of hop"):
        FeatureSpec(n_frames=10, window_hop=1, **WAVEFORM | wrong)
