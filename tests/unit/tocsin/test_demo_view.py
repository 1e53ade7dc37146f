"""The demo's view of scores and alerts, and its outcome."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from schemas.alert import Alert
from schemas.score import ModelRef, Score
from synthesis.factory import demo_factory
from tocsin.cli.commands.demo import save_view
from tocsin.console import PlainConsole
from tocsin.demo.fleet_view import DeviceView, FleetView
from tocsin.demo.outcome import assess, print_outcome
from tocsin.demo.run import DemoOptions, DemoRun
from tocsin.demo.screen import draw, plain_line, plain_status

MODEL = ModelRef(name="m", version="1", sha256="0")
FACTORY = demo_factory()


def score(device: str, index: int, value: float, threshold: float | None = 2.0) -> Score:
    return Score(
        device_id=device, detector="machine", session_id="s", first_sample=index * 16_000, n_samples=32_000,
        sample_rate=16_000, captured_ns=index, score=value, threshold=threshold,
        exceeds=threshold is not None and value > threshold,
        threshold_state="calibrating" if threshold is None else "ready", level_dbfs=-30.0, model=MODEL,
    )  # fmt: skip


def alert(device: str, state: str = "opened", revision: int = 0) -> Alert:
    return Alert.model_validate(
        {
            "alert_id": f"a-{device}", "dedup_key": f"{device}/machine", "state": state, "revision": revision,
            "severity": "warning", "device_id": device, "detector": "machine", "session_id": "s",
            "opened_session_id": "s",
            "opened_first_sample": 0, "first_sample": 16_000, "sample_rate": 16_000, "opened_ns": 0, "captured_ns": 0,
            "score": 3.0, "threshold": 2.0, "peak_score": 3.0, "confirmations": 3, "window_count": 4,
            "threshold_state": "ready", "model": MODEL, "summary": f"Unusual sound at {device}",
        }
    )  # fmt: skip


@pytest.fixture
def view() -> FleetView:
    return FleetView({device.device_id: DeviceView(device.device_id, device.kind) for device in FACTORY})


def shown(view: FleetView) -> str:
    console = PlainConsole(width=120, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(draw(view, "title", "subtitle"))
        return console.export_text()


def test_a_device_goes_from_waiting_to_alert_and_back(view: FleetView) -> None:
    row = view.devices["fan-2"]
    states = [row.state]
    for event in (
        score("fan-2", 0, 1.0, None), score("fan-2", 1, 1.0), score("fan-2", 2, 3.0), alert("fan-2"),
        alert("fan-2", "closed", 1), score("fan-2", 3, 1.0),
    ):  # fmt: skip
        view.add_score(event) if isinstance(event, Score) else view.add_alert(event)
        states.append(row.state)

    assert states == ["waiting", "warm-up", "normal", "above", "ALERT", "above", "normal"]


def test_the_saved_view_has_every_line_complete(view: FleetView, tmp_path: Path) -> None:
    """So does the one in the docs."""
    demo_run = DemoRun(DemoOptions(7, 65.0, 2, tmp_path / "worker.log"), PlainConsole())
    demo_run.view = view
    for index in range(60):
        view.add_score(score("compressor-4", index, index / 10))
    opened = alert("compressor-4")
    numbers = "score 20.66, threshold 18.30, peak 20.66, calibrating (0%), 35.5 s into the session"
    view.add_alert(opened.model_copy(update={"summary": f"Unusual sound at compressor-4: {numbers}"}))

    save_view(demo_run, tmp_path / "view.svg")

    drawn, documented = texts(tmp_path / "view.svg"), texts(Path(__file__).parents[3] / "docs" / "live-view.svg")
    assert any(line.endswith("into the session") for line in drawn)
    assert not any("\u2026" in line for line in drawn + documented)
    head = "device model level score threshold last scores state"
    assert (drawn[1], documented[1]) == (head, head)
    assert all(
        line.endswith("into the session") for line in documented if line.startswith(("opened", "updated", "closed"))
    )


def texts(picture: Path) -> list[str]:
    """Lines of text in an SVG by rich, top to bottom, without frames."""
    rows: dict[str, list[tuple[float, str]]] = {}
    for element in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314
        if "clip-path" in element.attrib:
            rows.setdefault(element.attrib["y"], []).append((float(element.attrib["x"]), element.text or ""))
    lines = [
        " ".join(text for _, text in sorted(row)) for _, row in sorted(rows.items(), key=lambda row: float(row[0]))
    ]
    return [" ".join(re.sub("[\u2500-\u257f]", " ", line).split()) for line in lines]


def test_duplicates_count_once(view: FleetView) -> None:
    for _ in range(3):
        view.add_score(score("fan-2", 0, 1.0))
        view.add_alert(alert("fan-2"))

    assert view.devices["fan-2"].windows == 1
    assert view.devices["fan-2"].alerts == 1
    assert len(view.events) == 1


def test_the_view_has_one_row_per_device_and_alerts_below(view: FleetView) -> None:
    for index in range(60):
        view.add_score(score("fan-2", index, index / 10))
    view.add_alert(alert("fan-2"))

    text = shown(view)

    assert all(device.device_id in text for device in FACTORY)
    assert "ALERT" in text
    assert "5.90" in text
    assert "Unusual sound at fan-2" in text
    assert plain_line(alert("fan-2")).startswith("OPENED")
    assert "fan-2=ALERT" in plain_status(view)


def test_the_outcome_names_missed_and_unexpected_alerts(view: FleetView) -> None:
    expected = [device.device_id for device in FACTORY if device.expects_alert]
    for device in FACTORY:
        view.add_score(score(device.device_id, 0, 1.0))
    for device_id in expected:
        view.add_alert(alert(device_id))
    assert assess(FACTORY, view).as_expected

    view.add_alert(alert("fan-2"))
    view.devices[expected[0]].alerts = 0
    view.devices["pump-3"].windows = 0

    outcome = assess(FACTORY, view)
    assert (outcome.missed, outcome.false, outcome.unscored) == ((expected[0],), ("fan-2",), ("pump-3",))
    console = PlainConsole(width=160, record=True, quiet=False)
    print_outcome(console, FACTORY, view, outcome)
    text = console.export_text()
    assert f"{expected[0]} raised no alert" in text
    assert "fan-2 raised an unexpected alert" in text
