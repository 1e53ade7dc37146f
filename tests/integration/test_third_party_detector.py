"""A detector that Tocsin does not know is added by one entry and one published model."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tocsin
from schemas.score import Score
from schemas.topics import SCORES
from tests.crafted import craft
from tests.integration.oracle import start_group_at_end
from tests.integration.worker_process import WorkerProcess
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

ENTRY = {"hiss": {"title": "Hiss", "min_confirmations": 1, "window_count": 1, "release_s": 2}}


def command(kafka: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments, "--kafka", kafka], check=True, env={**os.environ}, timeout=120
    )


async def test_one_entry_and_one_model(
    kafka: str, group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_worker: Callable[..., WorkerProcess]
) -> None:
    entries = tmp_path / "detectors.json"
    entries.write_text(json.dumps(ENTRY), encoding="utf-8")
    monkeypatch.setenv("TOCSIN_DETECTORS", str(entries))
    monkeypatch.setenv("TOCSIN_MODEL_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("TOCSIN_MODEL_CACHE", str(tmp_path / "cache"))
    device_id = f"valve-{time.time_ns()}"
    model = craft(tmp_path / "hiss.onnx", "1", 1.0, detector="hiss")
    await start_group_at_end(kafka, group)
    await asyncio.to_thread(command, kafka, "models", "publish", str(model), "--scope", f"device:{device_id}")
    worker = start_worker()
    await worker.ready()
    async with tocsin.Publisher(device_id, 16_000, detectors=("hiss",), kafka=kafka) as sound:
        await sound.send(0.01 * np.random.default_rng(1).standard_normal(16_000 * 40))

    scores: dict[str, Score] = {}
    async with asyncio.timeout(90):
        while len(scores) < 30:
            async with consumer_of(kafka, [SCORES]) as consumer:
                async for message in read_to_end(consumer):
                    score = Score.from_record(record_of(message))
                    if score.device_id == device_id:
                        scores[score.event_id()] = score
            await asyncio.sleep(0.5)
    assert {(score.detector, score.model.name, score.model.version) for score in scores.values()} == {
        ("hiss", "crafted", "1")
    }

    # Whoever has no such entry still sees the fleet.
    monkeypatch.delenv("TOCSIN_DETECTORS")
    await asyncio.to_thread(command, kafka, "devices", "list", "--json")
