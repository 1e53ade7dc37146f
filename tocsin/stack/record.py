"""The record of a stack in its data folder: ports permanently, services while they run."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from connections.kafka import KafkaConnection, Mechanism
from connections.secret import Secret
from schemas.errors import OutputError

FILE = "stack.json"
# The system derives start times from its clock: they may move a little when the clock is set.
CREATED_TOLERANCE_S = 2.0
STOP_SECONDS = 20.0


class Process(BaseModel):
    """Identity of a process, which distinguishes it from a later one with the same pid.

    Attributes:
        pid: process id.
        created: start time, seconds since 1970.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has ``pid`` now; None if there is none."""
        try:
            return cls(pid=pid, created=psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def running(self) -> psutil.Process | None:
        """A handle to the process while it runs; None afterwards, and for a zombie."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) <= CREATED_TOLERANCE_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


class ServiceRecord(BaseModel):
    """One service as it was started, or as its address was given.

    Attributes:
        address: bootstrap address or Redis URL.
        version: empty for a given service.
        process: None for a given or stopped service.
        given: whether the address was given, so that the service was not started here.
        mechanism, username, password_file: how clients authenticate at a Kafka started here.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    version: str = ""
    process: Process | None = None
    given: bool = False
    mechanism: Mechanism | None = None
    username: str | None = None
    password_file: Path | None = None

    def kafka(self) -> KafkaConnection:
        """The connection to this service, a Kafka."""
        if self.mechanism is None or self.password_file is None:
            return KafkaConnection(self.address)
        password = Secret(file=self.password_file)
        return KafkaConnection(self.address, "SASL_PLAINTEXT", self.mechanism, self.username, password)


class StackRecord(BaseModel):
    """The file ``stack.json``.

    Attributes:
        mode: ``"owned"``: ends with ``owner``; ``"detached"``: left running by a command; else ``"down"``.
        owner: the process that started the services.
        ports: last ports of "kafka", "controller" and "redis", to be used again.
        services: by "kafka" and "redis"; ``parts`` in files of earlier versions.
    """

    mode: Literal["owned", "detached", "down"] = "down"
    owner: Process | None = None
    ports: dict[str, int] = {}
    services: dict[str, ServiceRecord] = Field(default={}, validation_alias=AliasChoices("services", "parts"))

    @classmethod
    def load(cls, data: Path) -> StackRecord:
        """Read a data folder's record; an empty one if it is missing or malformed."""
        try:
            return cls.model_validate_json((data / FILE).read_bytes())
        except (OSError, ValidationError):
            return cls()

    def save(self, data: Path) -> None:
        """Write the record atomically.

        Raises:
            OutputError: the folder cannot be written.
        """
        temporary = data / f"{FILE}.{os.getpid()}"
        try:
            temporary.touch(mode=0o600)  # a Redis URL may hold a password
            temporary.write_text(self.model_dump_json(indent=1), encoding="utf-8")
            temporary.replace(data / FILE)
        except OSError as error:
            raise OutputError(
                f"cannot write {data / FILE}: {error.strerror}; free some space, or make the folder writable"
            ) from error

    def owner_runs(self) -> psutil.Process | None:
        """The process that owns the stack, while it runs; None for a background stack."""
        return self.owner.running() if self.mode == "owned" and self.owner is not None else None

    def processes(self) -> dict[str, psutil.Process]:
        """The recorded services that run now."""
        running = {}
        for name, service in self.services.items():
            process = service.process.running() if service.process is not None else None
            if process is not None:
                running[name] = process
        return running

    def stop(self, data: Path) -> list[str]:
        """Stop the running services, all at once: with SIGTERM, after ``STOP_SECONDS`` with SIGKILL; and record it.

        The caller holds the folder's command lock.

        Returns:
            The names of the services that ran.

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
        self.mode, self.owner, self.services = "down", None, {}
        self.save(data)
        return list(stopped)
