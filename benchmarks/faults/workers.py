"""The workers of a run: started as a user starts them, ended in every way, and started again when they end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_RESTART_S = 1.0
_STOP_S = 30.0
_READY = b"worker is ready"


@dataclass(slots=True)
class Worker:
    """One place of a worker, in which one process after the other runs.

    Attributes:
        name: of the place.
        process: that runs in it, or the last that did.
        log: of all of them.
        wanted: whether one should run.
        paused: whether it is stopped by a signal.
        ready_from: length of the log when the process started: what is after it is its own.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    wanted: bool = True
    paused: bool = False
    ready_from: int = 0

    @property
    def runs(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it is ready, and can work."""
        if not self.runs or self.paused:
            return False
        with self.log.open("rb") as log:
            log.seek(self.ready_from)
            return _READY in log.read()

    def rss_mib(self) -> float | None:
        """Its resident memory, MiB; None where it does not run."""
        try:
            return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20
        except psutil.Error:
            return None


@dataclass(slots=True)
class Workers:
    """All workers of a group.

    Attributes:
        command: of one worker.
        environment: of its process.
        folder: for logs.
        places: by name.
        ended: those that ended by themselves, one line each.
    """

    command: list[str]
    environment: dict[str, str]
    folder: Path
    places: dict[str, Worker] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    _started: int = 0

    def join(self) -> Worker:
        """One more worker."""
        name = f"worker-{self._started}"
        self._started += 1
        log = self.folder / f"{name}.log"
        self.places[name] = Worker(name, self._spawn(log), log)
        return self.places[name]

    async def watch(self) -> None:
        """Starts again what has ended, until cancelled; what ended without being asked is noted."""
        while True:
            await asyncio.sleep(0.5)
            for worker in list(self.places.values()):
                if worker.wanted and not worker.runs:
                    code = worker.process.returncode
                    tail = worker.log.read_bytes()[-400:].decode(errors="replace").strip().splitlines()
                    self.ended.append(f"{worker.name} ended with {code}: {tail[-1] if tail else 'no log'}"[:500])
                    await asyncio.sleep(_RESTART_S)
                    self._again(worker)

    def running(self) -> list[Worker]:
        """Those that should run, in the order in which they joined."""
        return [worker for worker in self.places.values() if worker.wanted]

    async def kill(self, worker: Worker) -> None:
        """SIGKILL; another process follows a second later, as under a supervisor."""
        worker.wanted = worker.paused = False
        worker.process.kill()
        await asyncio.to_thread(worker.process.wait)
        await asyncio.sleep(_RESTART_S)
        self._again(worker)

    async def stop(self, worker: Worker, *, restart: bool) -> None:
        """SIGTERM; with ``restart`` another process follows."""
        was_ready = worker.is_ready
        worker.wanted = False
        if worker.paused:
            self._resume(worker)
        worker.process.terminate()
        try:
            code = await asyncio.to_thread(worker.process.wait, _STOP_S)
            # 70: its orderly end took too long, as it may where a service is away. Before it is ready it may just end.
            if was_ready and code not in (0, 70):
                self.ended.append(f"{worker.name} ended with {code} when asked to stop")
        except subprocess.TimeoutExpired:
            self.ended.append(f"{worker.name} did not stop within {_STOP_S:g} s of SIGTERM")
            worker.process.kill()
            await asyncio.to_thread(worker.process.wait)
        if restart:
            self._again(worker)

    async def pause(self, worker: Worker, seconds: float) -> None:
        """SIGSTOP, and SIGCONT later."""
        worker.paused = True
        process = worker.process
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        if worker.process is process:
            self._resume(worker)

    def end(self) -> None:
        """All are gone afterwards."""
        for worker in self.places.values():
            worker.wanted = False
            if worker.runs:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.kill()
        for worker in self.places.values():
            worker.process.wait(10)
            _close(worker.process)

    def _again(self, worker: Worker) -> None:
        _close(worker.process)
        worker.ready_from = worker.log.stat().st_size
        worker.process, worker.wanted, worker.paused = self._spawn(worker.log), True, False

    def _resume(self, worker: Worker) -> None:
        worker.paused = False
        if worker.runs:
            worker.process.send_signal(signal.SIGCONT)

    def _spawn(self, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "tocsin", *self.command],
                stdin=subprocess.PIPE,  # its end, in whatever way this process ends, stops the worker
                stdout=out,
                stderr=out,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
