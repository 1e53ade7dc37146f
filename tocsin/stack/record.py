"""What a data folder remembers of its stack: ports for ever, processes while they run."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import OutputError

FILE = "stack.json"
# The start time that the system derives from its clock may move by a little when the clock is set.
CREATED_WITHIN_S = 2.0
STOP_SECONDS = 20.0


class Process(BaseModel):
    """A process in such a way that another one that later gets its pid is not taken for it.

    Attributes:
        pid: process id.
        created: its start, seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has ``pid`` now; None where there is none."""
        try:
            return cls(pid=pid, created=psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def running(self) -> psutil.Process | None:
        """A handle, while the very same process runs; one that only waits to be reaped does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) <= CREATED_WITHIN_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


class ServiceRecord(BaseModel):
    """One part as it was started, or as it was given.

    Attributes:
        address: bootstrap address or Redis URL.
        version: empty for a part that was given.
        process: None for a part that was given, or that is stopped.
        given: whether it was reached only, not started.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    version: str = ""
    process: Process | None = None
    given: bool = False


class StackRecord(BaseModel):
    """The file ``stack.json``.

    Attributes:
        mode: ``"owned"`` lives and dies with ``owner``; ``"detached"`` was left running by a command; else ``"down"``.
        owner: the process that started the parts.
        ports: last port of "kafka", "controller" and "redis", to be taken again.
        parts: by "kafka" and "redis".
    """

    mode: Literal["owned", "detached", "down"] = "down"
    owner: Process | None = None
    ports: dict[str, int] = {}
    parts: dict[str, ServiceRecord] = {}

    @classmethod
    def load(cls, data: Path) -> StackRecord:
        """Read a data folder's record; an empty one where there is none, or none that can be read."""
        try:
            return cls.model_validate_json((data / FILE).read_bytes())
        except (OSError, ValidationError):
            return cls()

    def save(self, data: Path) -> None:
        """Write it in one step.

        Raises:
            OutputError: the folder cannot be written.
        """
        passing = data / f"{FILE}.{os.getpid()}"
        try:
            passing.touch(mode=0o600)  # a Redis URL may hold a password
            passing.write_text(self.model_dump_json(indent=1), encoding="utf-8")
            passing.replace(data / FILE)
        except OSError as error:
            raise OutputError(f"cannot write {data / FILE}: {error.strerror}; make room, or mend that") from error

    def owner_runs(self) -> psutil.Process | None:
        """The process that owns the stack, while it runs; None for a background stack."""
        return self.owner.running() if self.mode == "owned" and self.owner is not None else None

    def processes(self) -> dict[str, psutil.Process]:
        """The recorded parts that run now."""
        running = {}
        for name, part in self.parts.items():
            process = part.process.running() if part.process is not None else None
            if process is not None:
                running[name] = process
        return running

    def stop(self, data: Path) -> list[str]:
        """Stop the recorded parts that run, all at once: in order, by force after ``STOP_SECONDS``; and record it.

        The caller holds the folder's command lock.

        Returns:
            The names of the parts that ran.

        Raises:
            OutputError: the folder cannot be written.
        """
        stopped = self.processes()
        for process in stopped.values():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while running := self.processes():
            if time.monotonic() > deadline:
                for process in running.values():
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            time.sleep(0.02)
        self.mode, self.owner, self.parts = "down", None, {}
        self.save(data)
        return list(stopped)
