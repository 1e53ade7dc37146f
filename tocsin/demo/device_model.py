"""Training a device's own model during the demo, with the command a user would type."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from connections.kafka import KafkaConnection
from tocsin.addresses import environment_of

TRAIN_AT_S = 27.0
"""Seconds of sound after which the device's own model is trained; the minimum for training is 24 s."""
MIN_RUN_S = 55.0
"""A shorter run has no time for the training."""
DEVICE = "pump-3"

_GRACE_S = 5.0


async def train_during_run(kafka: KafkaConnection, store: str, results: Path) -> None:
    """Runs ``tocsin learn`` for :data:`DEVICE`; its output goes to ``learn.log`` in ``results``.

    If the model is refused or late, the demo goes on: the device keeps its present model.

    Args:
        kafka: the connection to Kafka.
        store: folder of published models.
        results: folder for the model, its metrics and the log.
    """
    command = ["learn", DEVICE, "--minutes", "0.5", "--window", "2", "--out", str(results / "learned")]
    environment = {**os.environ, **environment_of(kafka), "TOCSIN_MODEL_STORE": store}
    with (results / "learn.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tocsin", *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE_S)
        if process.returncode is None:
            process.kill()
            await process.wait()
