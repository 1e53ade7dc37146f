"""Whatever stands in topics and files, the commands print plain text, a line a record, and end in order."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from processors.app.logs import configure_logs
from schemas.cloudevents import MAX_NS
from schemas.device import Device
from schemas.errors import SettingsError
from schemas.record import Record
from schemas.topics import ALERTS, DEVICES, NOTICES, POLICIES, Topic
from tests.unit.schemas.records import ALERT, DEVICE, SCORE
from tests.unit.tocsin.hostile_records import ATTACKS, NOTICE, POLICY, TEXTS, records
from tests.unit.tocsin.kafka_in_memory import TopicsInMemory
from tocsin.cli.lazy_group import COMMANDS
from tocsin.cli.main import main
from tocsin.console import DataTable, PlainConsole, styled
from tocsin.demo.fleet_view import FleetView
from tocsin.demo.pictures import draw_alert
from tocsin.demo.screen import draw
from tocsin.models.comparison import Pairs
from tocsin.models.pictures import draw_comparison
from tocsin.replay_picture import draw_replay

KAFKA = ("--kafka", "127.0.0.1:1")
READING = [
    ["alerts"],
    ["alerts", "--json"],
    ["alerts", "show", "a1xx"],
    ["devices", "list"],
    ["devices", "list", "--json"],
    ["devices", "policy"],
    ["devices", "sensitivity"],
    ["devices", "policy", "--json"],
    ["devices", "explain", "fan-1"],
    ["devices", "explain", "fan-1", "--json"],
    ["models", "list"],
    ["models", "list", "--json"],
    ["models", "show", "machine"],
    ["models", "compare", "scream"],
    ["models", "retire", "machine"],
    ["replay", "fan-1"],
]
# The same records in every run. Without shrinking: a failing example of six records takes minutes to shrink.
MANY = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)


@pytest.fixture(scope="module")
def topics() -> Iterator[TopicsInMemory]:
    for place in COMMANDS.values():
        with contextlib.suppress(ModuleNotFoundError):
            import_module(place.partition(":")[0])
    with pytest.MonkeyPatch.context() as patch:
        yield TopicsInMemory(patch)


def run(*arguments: str, width: int = 10_000) -> tuple[int, str, str]:
    """A command in this process: exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["tocsin", *arguments]),
        mock.patch.dict(os.environ, {"COLUMNS": str(width)}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


def assert_plain(*texts: str) -> None:
    for text in texts:
        assert [char for char in text if char != "\n" and not char.isprintable()] == []


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
@given(found=records())
@MANY
def test_every_command_prints_plain_text(
    topics: TopicsInMemory, arguments: list[str], found: list[tuple[Topic, Record]]
) -> None:
    topics.clear()
    for topic, record in found:
        topics.add(topic, record)
    code, out, err = run(*arguments, *KAFKA)
    assert code in (0, 1, 2), err
    assert "Traceback" not in err
    assert_plain(out, err)
    if "--json" in arguments:
        assert all(json.loads(line) for line in out.splitlines())
        assert out.isascii()


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_a_record_is_a_line_and_its_markup_is_text(topics: TopicsInMemory, attack: str) -> None:
    topics.clear()
    device = DEVICE.model_copy(update={"unit": attack[:32], "description": attack})
    topics.add(DEVICES, device.to_record())
    topics.add(POLICIES, POLICY.model_copy(update={"note": attack}).to_record())
    topics.add(ALERTS, ALERT.model_copy(update={"summary": attack, "alert_id": "abcdef"}).to_record())
    topics.add(NOTICES, NOTICE.model_copy(update={"summary": attack}).to_record())
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in attack)
    for arguments, lines in ((["devices", "list"], 1), (["devices", "policy"], 1), (["alerts"], 2)):
        code, out, err = run(*arguments, *KAFKA)
        assert (code, err) == (0, "")
        assert_plain(out)
        assert sum("fan-1" in line or "any" in line or "2025" in line for line in out.splitlines()) == lines
        assert shown.strip() in out
    code, out, err = run("alerts", "show", "abcdef", *KAFKA)
    assert (code, err) == (0, "")
    assert_plain(out)


@given(text=TEXTS)
@MANY
def test_an_error_is_one_line(text: str) -> None:
    for arguments in (
        ["devices", "explain", "x", "--kafka", text],
        ["models", "promote", "m", "--scope", text, *KAFKA],
    ):
        if "\0" in text or not text or text.startswith("-"):
            continue
        code, out, err = run(*arguments)
        assert code == 2
        assert_plain(out, err)
        assert err.count("\n") == 1


@given(cells=st.lists(TEXTS, min_size=1, max_size=4), width=st.sampled_from([20, 80, 10_000]))
@MANY
def test_a_table_shows_its_cells_as_they_are(cells: list[str], width: int) -> None:
    table = DataTable(*("name" for _ in cells), title=styled(cells[0]))
    table.add_row(*cells)
    out = io.StringIO()
    console = PlainConsole(file=out, width=width)
    console.print(table)
    # The last gate: text that nobody made plain before.
    console.print(cells[0])
    assert_plain(out.getvalue())


@given(text=TEXTS)
@MANY
def test_styles_on_a_terminal_are_ours_alone(text: str) -> None:
    written = []
    for shown in (text, "plain"):
        out = io.StringIO()
        PlainConsole(file=out, force_terminal=True, width=200, color_system="truecolor").print_text(shown, "green")
        written.append(out.getvalue())
    codes = [[part[: part.index("m")] for part in one.split("\x1b[")[1:]] for one in written]
    assert codes[0] == codes[1] if text.strip() else True


@given(text=TEXTS)
@MANY
def test_the_live_view_is_drawn(text: str) -> None:
    view = FleetView({})
    view.add_score(SCORE.model_copy(update={"model": SCORE.model.model_copy(update={"name": text})}))
    view.add_alert(ALERT.model_copy(update={"summary": text}))
    out = io.StringIO()
    PlainConsole(file=out, width=136).print(draw(view, text, text))
    assert_plain(out.getvalue())


@pytest.mark.parametrize(
    ("attack", "captured_ns"),
    [("$\\frac{1}{$\x1b[31m\n\u202e", MAX_NS), ("_hidden $$$", 0)],
    ids=["formula", "underscore"],
)
def test_pictures_are_drawn_with_any_title(tmp_path: Path, attack: str, captured_ns: int) -> None:
    score = SCORE.model_copy(update={"captured_ns": captured_ns, "device_id": attack, "threshold": 0.5})
    draw_comparison(tmp_path / "c.png", [Pairs(attack, (score,), (score,), 1.0)], attack)
    draw_replay(tmp_path / "r.png", [score], [], [score], attack)
    alert = ALERT.model_copy(update={"summary": attack})
    draw_alert(tmp_path / "a.png", alert, np.ones((16_000, 1), np.int16), 24_000, [score])
    assert all((tmp_path / name).stat().st_size > 1_000 for name in ("c.png", "r.png", "a.png"))


@pytest.mark.parametrize("as_json", [True, False])
@given(text=TEXTS)
@MANY
def test_a_log_line_is_one_line(as_json: bool, text: str) -> None:
    err = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    with mock.patch.object(sys, "stderr", err):
        configure_logs(json=as_json)
        try:
            logging.getLogger("schemas.test").warning("%s", text)
            logging.getLogger("schemas.test").warning("plain", extra={})
            logged = err.getvalue()
            logging.getLogger("schemas.test").error("failed", exc_info=SettingsError(text))
        finally:
            for handler in root.handlers:
                handler.close()
            root.handlers[:] = before
            root.setLevel(level)
    assert_plain(_without_own_styles(err.getvalue()))
    assert logged.count("\n") == 2
    trace = _without_own_styles(err.getvalue()[len(logged) :]).splitlines()
    assert as_json or all(line.startswith("| ") for line in trace[1:] if line)


def _without_own_styles(text: str) -> str:
    """structlog's own colours, which stand around names and values."""
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", *(f"\x1b[3{number}m" for number in range(8))):
        text = text.replace(code, "")
    return text


def test_a_device_of_the_year_9999_is_listed(topics: TopicsInMemory) -> None:
    topics.clear()
    last = MAX_NS
    topics.add(ALERTS, ALERT.model_copy(update={"captured_ns": last, "opened_ns": last}).to_record())
    topics.add(DEVICES, Device(device_id="fan-1", kind="room", announced_ns=last).to_record())
    code, out, err = run("alerts", *KAFKA)
    assert (code, err) == (0, "")
    assert out.startswith("9999-12-")
