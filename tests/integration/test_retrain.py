"""`tocsin retrain` on the real stack: a better model becomes a shadow, a worse one does not, nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
import soundfile

from schemas.assignment import Assignment
from synthesis.fault import FAULTS, random_fault
from synthesis.machine import random_machine
from synthesis.sound import SAMPLE_RATE
from tests.integration.recorded_device import RecordedDevice, send_devices
from tocsin.models.assignments import read_assignments

pytestmark = pytest.mark.integration

CLIP_S = 20
CLIPS = 9


def clip(number: int, *, faulty: bool) -> npt.NDArray[np.float64]:
    """Twenty seconds of a pump, healthy or with one of all faults, as loud as itself and a half."""
    machine = random_machine(5, "pump")
    sound = machine.sound
    if faulty:
        fault = random_fault(number, machine, list(FAULTS)[number % len(FAULTS)])
        sound = fault.onto(machine, -10 * SAMPLE_RATE, 3.0)
    return np.clip(sound.at(number * CLIP_S * SAMPLE_RATE, CLIP_S * SAMPLE_RATE), -1.0, 1.0)


@pytest.fixture(scope="module")
def healthy() -> npt.NDArray[np.float64]:
    return np.concatenate([clip(number, faulty=False) for number in range(CLIPS)])


@pytest.fixture(scope="module")
def faulty_as_normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set whose earlier part, called normal, is full of faults."""
    root = tmp_path_factory.mktemp("faulty")
    folder = root / "normal" / "pump-x"
    folder.mkdir(parents=True)
    for number in range(CLIPS):
        samples = clip(number, faulty=number < 6)
        soundfile.write(folder / f"{number:02d}.wav", samples, SAMPLE_RATE, subtype="PCM_16")
    return root


def command(kafka: str, out: Path, *words: object) -> list[str]:
    fixed = ("retrain", "--recipe", "knn", "--out", out, "--clip", f"{CLIP_S}s", "--json", "--kafka", kafka)
    levels = ("--snr", -24, "--snr", -6)
    return [sys.executable, "-m", "tocsin", *map(str, (*fixed, *levels, *words))]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TOCSIN_MODEL_STORE": str(tmp_path / "store"), "OMP_NUM_THREADS": "1"}


Retrain = Callable[..., Any]


@pytest.fixture
def retrain(kafka: str, tmp_path: Path, environment: dict[str, str]) -> Retrain:
    async def run(*words: object) -> tuple[int, dict[str, Any], str]:
        done = await asyncio.to_thread(
            subprocess.run, command(kafka, tmp_path / "out", *words), capture_output=True, text=True, timeout=200,
            env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    return run


async def recorded_pump(kafka: str, healthy: npt.NDArray[np.float64]) -> str:
    device = RecordedDevice(f"pump-{uuid.uuid4().hex[:8]}")
    device.sent = device.record("s1", healthy)
    await send_devices(kafka, device)
    return device.name


async def assigned(kafka: str, key: str) -> Assignment | None:
    return (await read_assignments(kafka)).get(key)


def left(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


async def test_a_model_that_is_not_worse_is_published_as_shadow(
    kafka: str, tmp_path: Path, healthy: npt.NDArray[np.float64], retrain: Retrain
) -> None:
    device = await recorded_pump(kafka, healthy)
    key = f"machine/device:{device}"

    dry = await retrain("--devices", device, "--since", "1h", "--dry-run")
    assert (dry[0], dry[1]["published"], await assigned(kafka, key)) == (0, None, None), dry[2]
    code, result, errors = await retrain("--devices", device, "--since", "1h")

    assert code == 0, errors
    assert (result["result"], result["scope"]) == ("not worse", f"device:{device}")
    assert result["captured"]["clips"] == CLIPS
    assert [name.split()[0] for name in result["champions"]] == ["tocsin-machine"]
    candidate, champion = result["candidate_figures"], result["champion_figures"]
    assert candidate["windows"] == champion["windows"] > 0
    assert candidate["auc"].keys() == champion["auc"].keys()
    assert candidate["auc"].keys() == {f"{kind} {db:+} dB" for kind in FAULTS for db in (-24, -6)}
    shadow = await assigned(kafka, key)
    assert shadow is not None
    assert shadow.champion is None
    assert shadow.shadow is not None
    assert shadow.shadow.version == result["version"]
    assert (tmp_path / "store" / f"{shadow.shadow.sha256}.onnx").is_file()
    assert result["published"] == {"key": key, "revision": shadow.revision, "stage": "shadow"}
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == result
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert not {".retrain", "data", "training"} & left(tmp_path / "out")
    # Cron's mails and a cluster's logs: whole lines with their time, no bars.
    assert all(line[:4].isdigit() for line in errors.splitlines()), errors


async def test_a_worse_model_is_not_published(
    kafka: str, tmp_path: Path, faulty_as_normal: Path, retrain: Retrain
) -> None:
    code, result, _ = await retrain("--data", faulty_as_normal)

    assert code == 3
    assert result["result"] == "worse"
    assert any("mean AUC" in reason for reason in result["reasons"])
    assert result["candidate_figures"]["mean_auc"] < result["champion_figures"]["mean_auc"]
    assert result["published"] is None
    assert await assigned(kafka, "machine/device:pump-x") is None
    assert not (tmp_path / "store").exists()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["result"] == "worse"


async def test_sigterm_leaves_nothing_running_or_incomplete(
    kafka: str, tmp_path: Path, healthy: npt.NDArray[np.float64], environment: dict[str, str], retrain: Retrain
) -> None:
    device = await recorded_pump(kafka, healthy)
    out = tmp_path / "out"
    words = ("--devices", device, "--since", "1h")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command(kafka, out, *words), env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    async with asyncio.timeout(120):
        while not (out / ".retrain" / "training").is_dir():
            assert process.poll() is None, (tmp_path / "log").read_text()
            await asyncio.sleep(0.02)
    busy = await retrain(*words)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(process.wait, 30)

    assert (busy[0], f"process {process.pid}" in busy[2]) == (2, True), busy[2]
    assert code == 128 + signal.SIGTERM
    assert not any(child.is_running() for child in children)
    assert left(out) <= {".lock", "knn.onnx", "knn.json", "comparison.png"}
    assert await assigned(kafka, f"machine/device:{device}") is None
    assert (await retrain(*words, "--dry-run"))[0] == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--devices", "pump", "--data", "somewhere"), "--data"),
        ((), "--devices"),
        (("--data", "nowhere", "--scope", "floor:2"), "floor:2"),
        (("--data", "nowhere", "--set", "depth"), "depth"),
        (("--data", "nowhere", "--recipe", "soufflé"), "soufflé"),
        (("--data", "nowhere"), "nowhere"),
    ],
)
async def test_user_errors_are_one_line(words: tuple[str, ...], named: str, retrain: Retrain) -> None:
    code, _, errors = await retrain(*words)

    assert code == 2
    assert named in errors.splitlines()[-1]
    assert "Traceback" not in errors
