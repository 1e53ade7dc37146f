"""One device of the demo gets a model of its own in mid-run, by the command a user would give."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

LEARNS_AT_S = 27.0
"""Seconds of sound after which the device's own model is learned: the shortest it can be learned from is 24 s."""
LEAST_SHOW_S = 55.0
"""A shorter show has no time for it."""
DEVICE = "pump-3"

_GRACE_S = 5.0


async def learn_in_mid_run(kafka: str, store: str, results: Path) -> None:
    """Runs ``tocsin learn`` for :data:`DEVICE`; its output goes to ``learn.log`` in ``results``.

    A model that is refused or late is no mishap of the show: the device keeps the model it has.

    Args:
        kafka: bootstrap address.
        store: folder of published models.
        results: folder for the model, its figures and the log.
    """
    command = ["learn", DEVICE, "--minutes", "0.5", "--window", "2", "--out", str(results / "learned")]
    environment = {**os.environ, "TOCSIN_KAFKA": kafka, "TOCSIN_MODEL_STORE": store}
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
