"""A regime that a producer reports, on the real broker: from the command to the score and its explanation."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from schemas.device import Device
from schemas.record import Record
from schemas.score import Score
from schemas.topics import DEVICES, SCORES
from tests.integration.oracle import read_all, start_group_at_end
from tests.integration.recorded_device import noise, send
from tests.integration.test_stream import tocsin
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration


async def scores(kafka: str, device: str) -> list[Score]:
    messages = await read_all(kafka, SCORES.name, {device})
    return [Score.from_record(Record(m.key, m.value, tuple(m.headers))) for m in messages]


async def test_a_reported_regime_reaches_the_score_and_its_explanation(
    kafka: str, group: str, start_worker: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    device, sound = f"lathe-{uuid.uuid4().hex[:8]}", tmp_path / "lathe.wav"
    soundfile.write(sound, noise(4, 6.0).astype(np.float32), 16_000)
    await start_group_at_end(kafka, group)
    await send(kafka, [(DEVICES, Device(device_id=device, kind="machine", announced_ns=1).to_record())])
    done = await asyncio.to_thread(
        tocsin,
        "devices",
        "policy",
        "--false-alarms-per-week",
        "1",
        "--device",
        device,
        "--reported-regime",
        kafka=kafka,
    )
    assert done.returncode == 0, done.stderr
    start_worker()

    for tag in ("slow", "fast"):
        produce = ["produce", "file", str(sound), "--device", device, "--kind", "machine", "--regime", tag]
        command = [sys.executable, "-m", "tocsin", *produce, "--kafka", kafka]
        ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr

    deadline = time.monotonic() + 60.0
    while len(found := await scores(kafka, device)) < 2 * 4:
        assert time.monotonic() < deadline, f"{len(found)} scores"
        await asyncio.sleep(0.3)
    assert {(score.reported_regime, score.regime) for score in found} == {("slow", "slow"), ("fast", "fast")}
    result = await asyncio.to_thread(tocsin, "devices", "explain", device, kafka=kafka)
    assert "compared with the reference of operating regime 'fast'" in result.stdout
