"""The models in the package: whole, themselves, and good for the demo."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime
import pytest

from processors.core.audio.recording import rows_of, windows_of
from processors.core.threshold.limits import prior_of
from schemas.manifest import SCORE_OUTPUT, read_metadata
from synthesis.factory import FAULT_ONSET, SCREAMS_AT, demo_factory

MODELS = files("processors.shipped_models")
SECONDS = 75


@pytest.fixture(scope="module")
def index() -> dict[str, Any]:
    return json.loads((MODELS / "index.json").read_text())


@pytest.fixture(scope="module")
def sessions(index: dict[str, Any]) -> dict[str, onnxruntime.InferenceSession]:
    return {
        name: onnxruntime.InferenceSession((MODELS / entry["file"]).read_bytes(), providers=["CPUExecutionProvider"])
        for name, entry in index.items()
    }


@pytest.fixture(scope="module")
def scored(sessions: dict[str, onnxruntime.InferenceSession]) -> dict[str, Any]:
    """Of each device of the demo: window ends in seconds, scores, calibration."""
    result = {}
    for device in demo_factory():
        session = sessions["machine" if device.kind == "machine" else "scream"]
        manifest, _, _ = read_metadata(session.get_modelmeta().custom_metadata_map)
        spec = manifest.features
        windows = windows_of(rows_of(device.render(0, SECONDS * 16_000), 16_000, spec), spec)
        scores = session.run([SCORE_OUTPUT], {"log_mel": windows})[0]
        ends = (np.arange(len(scores)) * spec.window_hop * spec.hop + spec.window_samples) / spec.sample_rate
        result[device.device_id] = (device, ends, scores, manifest.calibration)
    return result


@pytest.mark.parametrize("name", ["machine", "scream"])
def test_each_is_what_the_index_and_its_manifest_say(
    index: dict[str, Any], sessions: dict[str, onnxruntime.InferenceSession], name: str
) -> None:
    raw = (MODELS / index[name]["file"]).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == index[name]["sha256"]
    assert len(raw) < 600_000
    manifest, features, scores = read_metadata(sessions[name].get_modelmeta().custom_metadata_map)
    assert manifest.detector == name
    assert manifest.features.hash() == manifest.features_hash
    assert np.allclose(sessions[name].run([SCORE_OUTPUT], {"log_mel": features})[0], scores, rtol=1e-5, atol=1e-5)


def test_the_failing_motor_stands_out_and_no_other_machine_does(scored: dict[str, Any]) -> None:
    for device, ends, scores, calibration in scored.values():
        if device.kind != "machine":
            continue
        learned = scores[ends < FAULT_ONSET]
        late = scores[ends > FAULT_ONSET + 4.0]
        excess = (late - learned.mean()) / max(learned.std(), calibration.spread)
        if device.expects_alert:
            assert np.percentile(excess, 5) > 12.0, device.device_id
        else:
            assert excess.max() < 5.0, device.device_id


def test_both_screams_are_found_with_margin(scored: dict[str, Any]) -> None:
    _, ends, scores, calibration = scored["hall-1"]
    for start in SCREAMS_AT:
        during = scores[(ends > start + 0.7) & (ends < start + 2.3)]
        # What a noisy room may raise the threshold to.
        assert np.median(during) > prior_of(calibration).max_threshold


def test_rooms_are_quiet_otherwise_with_margin(scored: dict[str, Any]) -> None:
    for device, ends, scores, calibration in scored.values():
        if device.kind == "room":
            first, last = SCREAMS_AT[0], SCREAMS_AT[-1] + 4.0
            quiet = scores[(ends < first) | (ends > last)] if device.expects_alert else scores
            pairs = np.minimum(quiet[1:], quiet[:-1])
            assert pairs.max() < calibration.threshold - calibration.spread, device.device_id
