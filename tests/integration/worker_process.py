"""A real worker process, to be stopped in every way."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path


class WorkerProcess:
    """One ``tocsin worker``.

    Args:
        kafka, redis_url, group: its options.
        log: file its output is added to.
        module: another program in its place, run with the same options.
        python: another environment's, with the working directory its own.
    """

    def __init__(
        self, kafka: str, redis_url: str, group: str, log: Path, module: str = "tocsin", python: Path | None = None
    ) -> None:
        command = [str(python or sys.executable), "-m", module, "worker"]
        command += ["--kafka", kafka, "--redis", redis_url, "--group", group]
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ},
                cwd=python.parents[1] if python else None,  # away from the checkout, which `-m` would import from
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self, timeout: float = 90.0) -> None:
        """Returns once it listens to the stream: on a loaded machine its start takes longer than a test's sound."""
        async with asyncio.timeout(timeout):
            while b"worker is ready" not in self.log.read_bytes():
                assert self.alive, self.tail()
                await asyncio.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._process.kill()
        self._process.wait(10)

    def terminate(self, timeout: float = 30.0) -> int:
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return self.wait(timeout)

    def wait(self, timeout: float = 30.0) -> int:
        """Waits for the end; returns the exit code."""
        return self._process.wait(timeout)

    def end(self) -> None:
        """Whatever its state, it is gone afterwards."""
        if self.alive:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait(10)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
