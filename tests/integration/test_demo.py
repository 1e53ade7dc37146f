"""The demo as a user runs it: its alerts, its files, and that nothing keeps running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from synthesis.factory import demo_factory

pytestmark = pytest.mark.integration


# A shell without job control starts what ends with & like this.
IN_THE_BACKGROUND = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")


def start(folder: Path, *options: str, through: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if name != "TOCSIN_DATA"}
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [*through, sys.executable, "-m", "tocsin", "demo", *options],
        cwd=folder, env={**clean, "PYTHONPATH": root}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def left_behind(folder: Path) -> list[list[str]]:
    """Command lines of processes that have to do with the folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "pid"]):
        text = [*(process.info["cmdline"] or []), process.info["cwd"] or ""]
        if process.info["pid"] != os.getpid() and any(str(folder) in part for part in text):
            found.append(text)
    return found


def test_the_demo_raises_the_expected_alerts(tmp_path: Path) -> None:
    demo = start(tmp_path)
    output, _ = demo.communicate(timeout=150)

    assert demo.returncode == 0, output
    out = tmp_path / "demo-output"
    alerts = [json.loads(line) for line in (out / "alerts.jsonl").read_text().splitlines()]
    expected = {device.device_id for device in demo_factory() if device.expects_alert}
    assert {alert["device_id"] for alert in alerts} == expected
    opened = [alert for alert in alerts if alert["state"] == "opened"]
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert [f"alert-{n}-{alert['device_id']}.png" for n, alert in enumerate(opened, start=1)] == pictures
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert "pump-3 was scored by a model of its own, knn-pump-3" in " ".join(output.split()), output
    assert "<svg" in (out / "live-view.svg").read_text()
    assert "\x1b" not in output, "without a terminal it prints plain lines"
    assert left_behind(tmp_path) == []
    assert list((tmp_path / ".tocsin").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.7, 2.5, 12.0])
def test_an_interruption_leaves_nothing_running(tmp_path: Path, after_s: float, number: signal.Signals) -> None:
    demo = start(tmp_path)
    time.sleep(after_s)
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=40)

    assert demo.returncode in (130, -number), output
    assert "Traceback" not in output or demo.returncode == -number
    assert_nothing_stays(tmp_path)


def test_in_the_background_where_ctrl_c_is_ignored_sigterm_ends_it(tmp_path: Path) -> None:
    demo = start(tmp_path, through=IN_THE_BACKGROUND)
    time.sleep(12.0)
    demo.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert demo.poll() is None
    demo.send_signal(signal.SIGTERM)
    output, _ = demo.communicate(timeout=40)

    assert demo.returncode == 130, output
    assert "Traceback" not in output
    assert_nothing_stays(tmp_path)


def assert_nothing_stays(tmp_path: Path) -> None:
    deadline = time.monotonic() + 10
    while left_behind(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left_behind(tmp_path) == []
    assert not list(tmp_path.glob(".tocsin/*"))
