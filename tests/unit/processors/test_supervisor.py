"""The supervisor: children are restarted, stopped together, and killed where they do not end."""

from __future__ import annotations

import asyncio
import sys

import pytest

from processors.app import supervisor as module
from processors.app.supervisor import Supervisor
from schemas.errors import WorkerRefused

IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)


@pytest.mark.subprocess
async def test_a_child_that_crashes_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_BACKOFF_S", 0.01)
    supervisor = Supervisor([sys.executable, "-c", "raise SystemExit(1)"], 1)
    running = asyncio.create_task(supervisor.run())
    seen: set[int] = set()
    async with asyncio.timeout(30):
        while len(seen) < 3:
            seen.update(supervisor.pids)
            await asyncio.sleep(0.005)
    supervisor.stop()
    async with asyncio.timeout(10):
        await running


@pytest.mark.subprocess
async def test_exit_code_2_ends_all() -> None:
    supervisor = Supervisor([sys.executable, "-c", "raise SystemExit(2)"], 2)

    async with asyncio.timeout(30):
        with pytest.raises(WorkerRefused):
            await supervisor.run()
    assert supervisor.pids == []


@pytest.mark.subprocess
async def test_a_child_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STOP_S", 0.5)
    supervisor = Supervisor([sys.executable, "-c", IGNORES_SIGTERM], 2)
    running = asyncio.create_task(supervisor.run())
    while len(supervisor.pids) < 2:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)

    supervisor.stop()

    async with asyncio.timeout(10):
        await running
    assert supervisor.pids == []


async def test_stopped_at_once_no_child_remains() -> None:
    supervisor = Supervisor([sys.executable, "-c", "import time; time.sleep(60)"], 3)
    running = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0)
    supervisor.stop()

    async with asyncio.timeout(15):
        await running
    assert supervisor.pids == []
