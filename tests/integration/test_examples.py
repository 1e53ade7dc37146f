"""The five examples run as they stand, on the real Kafka and Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tocsin
from schemas.alert import Alert
from schemas.topics import ALERTS
from synthesis.machine import random_machine
from tests.unit.schemas.records import ALERT
from tocsin.client.topic_writer import write_records

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


def some_alert(device_id: str) -> Alert:
    return ALERT.model_copy(
        update={
            "alert_id": f"{device_id}-alert",
            "device_id": device_id,
            "dedup_key": f"{device_id}/machine",
            "detector": "machine",
            "state": "opened",
            "revision": 0,
        }
    )


def test_there_are_five_of_at_most_forty_lines() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in EXAMPLES.glob("*.py")}
    assert sorted(lengths) == [
        "follow_alerts.py", "produce.py", "score_array.py", "send_feedback.py", "train_and_publish.py",
    ]  # fmt: skip
    assert max(lengths.values()) <= 40


def test_an_array_is_scored(tmp_path: Path) -> None:
    done = run("score_array.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 15
    assert "alarm" not in done.stdout


async def test_alerts_are_followed_into_a_log(kafka: str, tmp_path: Path) -> None:
    alert = some_alert(f"press-{time.time_ns()}")
    await write_records(kafka, [(ALERTS, alert.to_record())] * 2)
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "follow_alerts.py"), "alerts.jsonl"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "TOCSIN_KAFKA": kafka},
        stdout=subprocess.DEVNULL,
    )
    log = tmp_path / "alerts.jsonl"
    try:
        async with asyncio.timeout(90):
            while not log.is_file() or alert.alert_id not in log.read_text():
                await asyncio.sleep(0.2)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130

    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["revision"] for one in logged if one["alert_id"] == alert.alert_id] == [0]


def test_ten_lines_are_a_producer(kafka: str, tmp_path: Path) -> None:
    done = run("produce.py", cwd=tmp_path, TOCSIN_KAFKA=kafka)
    assert done.returncode == 0, done.stderr

    listed = subprocess.run(
        [sys.executable, "-m", "tocsin", "devices", "list", "--json", "--kafka", kafka],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"device_id": "example-1"' in listed.stdout


async def test_feedback_is_given_on_open_alerts_alone(kafka: str, tmp_path: Path) -> None:
    device = f"press-{time.time_ns()}"
    opened = some_alert(device)
    over = opened.model_copy(update={"alert_id": f"{device}-over", "state": "closed"})
    await write_records(kafka, [(ALERTS, opened.to_record()), (ALERTS, over.to_record())])

    done = await asyncio.to_thread(run, "send_feedback.py", device, cwd=tmp_path, TOCSIN_KAFKA=kafka)

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"marked {opened.alert_id} as a false alarm\n"
    shown = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tocsin", "alerts", "show", opened.alert_id, "--kafka", kafka],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "false-alarm: maintenance was under way" in shown.stdout


def test_a_model_is_trained_and_published(kafka: str, tmp_path: Path) -> None:
    sound = random_machine(4, "pump").sound.at(0, 130 * 16_000)
    (tmp_path / "recordings").mkdir()
    soundfile.write(tmp_path / "recordings" / "pump.wav", np.clip(sound, -1.0, 1.0), 16_000)
    device = f"pump-{time.time_ns()}"

    done = run(
        "train_and_publish.py", device, "recordings", cwd=tmp_path, TOCSIN_KAFKA=kafka, TOCSIN_MODEL_STORE="store"
    )

    assert done.returncode == 0, done.stderr
    assert f"scores {device} from revision 1 on" in done.stdout


async def test_publisher_and_alerts_meet_on_the_topics(kafka: str) -> None:
    device = f"api-{time.time_ns()}"
    async with tocsin.Publisher(device, 16_000, kafka=kafka) as publisher:
        await publisher.send(np.zeros(12_345, np.int16))
    alert = some_alert(device)
    await write_records(kafka, [(ALERTS, alert.to_record())])

    found = [one async for one in tocsin.alerts(kafka=kafka, following=False) if one.device_id == device]

    assert found == [alert]
