"""Several worker processes on one machine: started, restarted when they crash, stopped together."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence

import structlog

from schemas.errors import WorkerRefused

_log = structlog.get_logger(__name__)

_USER_ERROR_EXIT = 2
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 30.0
_STEADY_S = 60.0
_STOP_S = 20.0


class Supervisor:
    """Keeps ``count`` processes of one command running.

    A child reads its standard input to the end: when this process ends, in whatever way, its children stop.

    Args:
        command: program and arguments of one worker.
        count: how many, >= 1.
        environment: added to the children's.
        log: file descriptor for the children's standard output and error; None inherits ours.
    """

    def __init__(
        self, command: Sequence[str], count: int, environment: Mapping[str, str] | None = None, log: int | None = None
    ) -> None:
        self._command = list(command)
        self._count = count
        self._environment = {**os.environ, **(environment or {})}
        self._log = log
        self._children: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that run."""
        return [child.pid for child in self._children.values() if child.returncode is None]

    async def run(self) -> None:
        """Runs until :meth:`stop`.

        Raises:
            WorkerRefused: a child ends with exit code 2, because the user must act; its own message is in the log.
        """
        tasks = [asyncio.create_task(self._keep_running(index)) for index in range(self._count)]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            stopping.cancel()
            await self._end(tasks)
        await asyncio.gather(*tasks)

    def stop(self) -> None:
        """Stops all children in order; :meth:`run` returns when they have ended."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    async def _keep_running(self, index: int) -> None:
        backoff = _FIRST_BACKOFF_S
        while not self._stopping.is_set():
            started = time.monotonic()
            child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                env=self._environment,
                # Ctrl-C at the terminal reaches this process alone, which then stops the children in order.
                start_new_session=True,
            )
            self._children[index] = child
            if self._stopping.is_set():
                child.send_signal(signal.SIGTERM)
            code = await child.wait()
            if self._stopping.is_set():
                return
            if code == _USER_ERROR_EXIT:
                raise WorkerRefused("a worker could not start; its own line above says why")
            backoff = _FIRST_BACKOFF_S if time.monotonic() - started > _STEADY_S else min(2 * backoff, _MAX_BACKOFF_S)
            _log.error("worker ended, starting it again", pid=child.pid, exit_code=code, in_s=backoff)
            try:
                await asyncio.wait_for(self._stopping.wait(), backoff)
            except TimeoutError:
                continue

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children.values():
            if child.returncode is None:
                child.send_signal(number)

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        self._signal(signal.SIGTERM)
        _, late = await asyncio.wait(tasks, timeout=_STOP_S)
        if late:
            _log.warning("workers did not end in time and are killed", waited_s=_STOP_S)
            self._signal(signal.SIGKILL)
            await asyncio.wait(tasks)
