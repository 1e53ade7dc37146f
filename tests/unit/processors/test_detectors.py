"""Detectors are data: a table that ships, and a user's file beside it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import load_shipped_models
from processors.core.alerting.detectors import detector_named, detectors_of
from processors.core.models.assignments import ModelAssignments, Target
from processors.core.models.model import Slot
from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.extraction import Extractor
from schemas.chunk import Chunk
from schemas.device import Device
from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from schemas.scope import ALL
from tests.unit.core.models import FakeModel

GLASS = {"title": "Glass breaks", "min_confirmations": 1, "window_count": 2, "release_s": 1.5}


def written(folder: Path, content: Any) -> Path:
    path = folder / "detectors.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_what_ships() -> None:
    shipped = load_detectors()
    assert list(shipped) == ["machine", "scream", "leak"]
    assert {name: one.kinds for name, one in shipped.items()} == {
        "machine": ("machine",),
        "scream": ("room",),
        "leak": (),
    }
    assert (shipped["machine"].min_confirmations, shipped["machine"].window_count) == (3, 4)
    assert (shipped["scream"].release_ns, shipped["machine"].release_ns) == (3_000_000_000, 6_000_000_000)
    assert set(load_shipped_models(shipped)) == {"machine", "scream"}
    index = json.loads((resources.files("processors.shipped_models") / "index.json").read_text())
    assert {name: entry["file"] for name, entry in index.items()} == {
        name: one.default_model for name, one in shipped.items() if one.default_model is not None
    }


def test_one_entry_adds_a_detector(tmp_path: Path) -> None:
    detectors = load_detectors(written(tmp_path, {"glass": {**GLASS, "kinds": ["room"]}}))

    assert detectors["glass"].release_ns == 1_500_000_000
    assert detectors_of(Device(device_id="hall", kind="room"), detectors) == ("scream", "glass")
    assert detectors_of(Device(device_id="hall", kind="room", detectors=("glass",)), detectors) == ("glass",)
    assert detector_named("glass", detectors).title == "Glass breaks"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "detectors.json: Invalid JSON"),
        ("[]", "got \\[\\]"),
        ({"glass": {**GLASS, "confirm": 2}}, "glass.confirm: Extra inputs are not permitted \\(got 2\\)"),
        ({"glass": {**GLASS, "min_confirmations": 3}}, "min_confirmations 3 is more than window_count 2"),
        ({"glass": {**GLASS, "kinds": ["garden"]}}, "got 'garden'"),
        ({"machine": GLASS}, "detector 'machine' ships with Tocsin: choose another name"),
        ({"glass": {**GLASS, "default_model": "x.onnx"}}, "leave it out and publish the model"),
        ({"../glass": GLASS}, "got '../glass'"),
        ({"glass": {**GLASS, "title": "a\x1b[31mb"}}, "title"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_value(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_detectors(written(tmp_path, content))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'.*none\.json' cannot be read: No such file"):
        load_detectors(tmp_path / "none.json")


def test_an_unknown_detector_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="no detector 'nose'; there are machine, scream, leak"):
        detectors_of(Device(device_id="d", kind="room", detectors=("nose",)), load_detectors())


def test_a_device_without_a_model_yet_waits_for_one_and_holds_nothing_back() -> None:
    models = ModelAssignments({})
    stream = DeviceStream("d", models.model_set("d", "machine", ("leak",)), detectors=("leak",))
    extractor, windows = Extractor(), []

    for number in range(40):
        if number == 20:
            models.put(Target("leak", ALL, "champion"), FakeModel("new", FeatureSpec(n_frames=8, window_hop=8)))
            stream.set_models(models.model_set("d", "machine", ("leak",)))
        chunk = Chunk("d", "s", number, number * 8_000, 16_000, 1, 0, bytes(16_000))
        stream.admit(chunk)
        assert stream.segment is not None
        windows += extractor.extract([(stream.segment, chunk, number)])
        if number < 20:
            assert stream.segment.frontier() is None

    assert windows
    assert {window.slot for window in windows} == {Slot("leak", "champion")}
    assert min(window.first_sample for window in windows) >= 19 * 8_000
