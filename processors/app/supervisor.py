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

_USERS_MISTAKE = 2
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 30.0
_STEADY_S = 60.0
_STOP_S = 20.0


class Supervisor:
    """Keeps ``count`` processes of one command running.

    A child reads its standard input to the end: when this process is gone, however it ended, its children stop.

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
            WorkerRefused: a child says that the user must act (exit code 2); its own message stands in the log.
        """
        keepers = [asyncio.create_task(self._keep(index)) for index in range(self._count)]
        told = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([told, *keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            told.cancel()
            await self._end(keepers)
        await asyncio.gather(*keepers)

    def stop(self) -> None:
        """Asks all children to drain and end; :meth:`run` returns when they have."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    async def _keep(self, index: int) -> None:
        backoff = _FIRST_BACKOFF_S
        while not self._stopping.is_set():
            started = time.monotonic()
            child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                env=self._environment,
                # A Ctrl-C at the terminal goes to this process alone, which then stops the children in order.
                start_new_session=True,
            )
            self._children[index] = child
            if self._stopping.is_set():
                child.send_signal(signal.SIGTERM)
            code = await child.wait()
            if self._stopping.is_set():
                return
            if code == _USERS_MISTAKE:
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

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        self._signal(signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=_STOP_S)
        if late:
            _log.warning("workers did not end in time and are killed", waited_s=_STOP_S)
            self._signal(signal.SIGKILL)
            await asyncio.wait(keepers)
