"""`tocsin learn` against a real Kafka: a model trained on a device's own sound finds its faults."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from processors.adapters.models.onnx_model import OnnxModel, load_model
from processors.core.audio.recording import rows_of, windows_of
from synthesis.fault import random_fault
from synthesis.machine import random_machine
from tests.integration.recorded_device import RecordedDevice, send_alerts, send_devices
from tocsin.models.assignments import read_assignments

pytestmark = pytest.mark.integration

RATE = 16_000
WINDOW_S = 3
FIRST_S = 0
MACHINE = random_machine(5, "compressor")


def machine(first_s: float, seconds: float) -> np.ndarray:
    return MACHINE.sound.at(int(first_s * RATE), int(seconds * RATE))


def faulty(first_s: float, seconds: float) -> np.ndarray:
    fault = random_fault(9, MACHINE, "bearing")
    return fault.onto(MACHINE, 0, 0.0).at(int(first_s * RATE), int(seconds * RATE))


def device(kind: str = "pump") -> RecordedDevice:
    return RecordedDevice(f"{kind}-{uuid.uuid4().hex[:8]}")


def tocsin(kafka: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The stack's credentials are named in the environment.
    clean = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("TOCSIN_KAFKA_") or not name.startswith("TOCSIN_")
    }
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments],
        capture_output=True, text=True, timeout=240, cwd=folder, stdin=subprocess.DEVNULL,
        env={**clean, "PYTHONPATH": root, "TOCSIN_KAFKA": kafka, "TOCSIN_MODEL_STORE": str(folder / "store")},
    )  # fmt: skip


def scores(model: OnnxModel, sound: np.ndarray) -> np.ndarray:
    spec = model.manifest.features
    rows = rows_of(sound.astype(np.float32), RATE, spec)
    return model.score(windows_of(rows, spec))[0]


def test_a_model_is_trained_and_published_for_one_device_only(kafka: str, tmp_path: Path) -> None:
    one, other = device(), device("fan")
    sound = machine(FIRST_S, 90.0)
    # From 30 s to 40 s there is a fault with an alert: the model must not be trained on it.
    sound[30 * RATE : 40 * RATE] = faulty(30.0, 10.0)
    one.sent = one.record("s1", sound)
    other.sent = other.record("s1", 0.1 * np.random.default_rng(1).standard_normal(60 * RATE))
    asyncio.run(send_devices(kafka, one, other))
    asyncio.run(send_alerts(kafka, one.alert(31.0, 39.0)))

    done = tocsin(
        kafka, tmp_path, "learn", one.name, "--minutes", "2", "--window", str(WINDOW_S), "--guard", "5", "--json"
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["observed_s"] == 90.0
    assert result["excluded_s"] == pytest.approx(18.0, abs=1.0)
    assert result["learned_s"] == result["observed_s"] - result["excluded_s"]
    model = load_model(tmp_path / result["model"])
    assert model.manifest.detector == "machine"
    assert one.name in model.manifest.trained_on
    threshold = model.manifest.calibration.threshold
    assert scores(model, machine(200.0, 10.0)).max() < threshold < scores(model, faulty(200.0, 10.0)).min()
    assert scores(model, faulty(30.0, 10.0)).min() > threshold
    assigned = asyncio.run(read_assignments(kafka))[f"machine/device:{one.name}"]
    assert assigned.champion is not None
    assert assigned.champion.sha256 == model.sha256
    assert result["published"]["stage"] == "champion"


def test_several_sessions_are_trained_on_and_the_file_may_stay_unpublished(kafka: str, tmp_path: Path) -> None:
    one = device()
    one.sent = [*one.record("s1", machine(0, 30.0)), *one.record("s2", machine(40.0, 30.0), start_s=40.0)]
    asyncio.run(send_devices(kafka, one))

    done = tocsin(kafka, tmp_path, "learn", one.name, "--window", str(WINDOW_S), "--no-publish", "--out", "there")

    assert done.returncode == 0, done.stderr
    assert f"60 s of {one.name}'s sound" in done.stdout
    assert f"tocsin models publish there/knn-{one.name}.onnx --scope device:{one.name}" in done.stdout
    load_model(tmp_path / "there" / f"knn-{one.name}.onnx")
    assert f"machine/device:{one.name}" not in asyncio.run(read_assignments(kafka))


def test_user_errors_are_one_line(kafka: str, tmp_path: Path) -> None:
    short = device()
    short.sent = short.record("s1", machine(0, 20.0))
    asyncio.run(send_devices(kafka, short))

    def refused(*arguments: str, kafka: str = kafka) -> str:
        done = tocsin(kafka, tmp_path, "learn", *arguments)
        assert done.returncode == 2, done.stderr
        assert not (tmp_path / "learned").exists()
        return done.stderr.strip().splitlines()[-1]

    assert short.name in refused(short.name[:-1])
    message = refused(short.name)
    assert "20 s of sound" in message
    assert "at least 121 s are needed" in message
    assert "runs machine, not 'scream'" in refused(short.name, "--detector", "scream")
    assert "127.0.0.1:1" in refused(short.name, "--kafka", "127.0.0.1:1")
