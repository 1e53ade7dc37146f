"""One child process of the stack: started, watched, stopped."""

from __future__ import annotations

import errno
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from schemas.errors import OutputError, ServiceDied, StackError
from tocsin.stack.record import STOP_SECONDS
from tocsin.stack.spawn import spawn, tied

LOG_LINES = 15
CONSOLE = "console.log"


@dataclass(frozen=True, slots=True)
class ServiceTies:
    """What ties services to their stack.

    Attributes:
        lock_fd: the data folder's lock, inherited by every service.
        tied: whether a service is killed when this process ends.
        changed: called after a service has started or ended.
    """

    lock_fd: int
    tied: bool
    changed: Callable[[], None]


class Service(ABC):
    """Base class of the services. Not thread-safe.

    Args:
        folder: the service's own folder; created at the first start.
        port: port on 127.0.0.1; the same at each start.
        ties: see :class:`ServiceTies`.
    """

    name: ClassVar[str]
    log_name: ClassVar[str]
    ready_seconds: ClassVar[float] = 90.0

    def __init__(self, folder: Path, port: int, ties: ServiceTies) -> None:
        self.folder = folder
        self.port = port
        self._ties = ties
        self._process: subprocess.Popen[bytes] | None = None
        self._should_run = False

    @property
    @abstractmethod
    def address(self) -> str:
        """Address for clients."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Version of the service."""

    @abstractmethod
    def _prepare(self) -> None:
        """Write the configuration and other files needed for the start."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Program and arguments, to run in the service's folder."""

    @abstractmethod
    def _probe(self) -> bool:
        """Whether our process answers; a round trip of about a second at most."""

    @property
    def pid(self) -> int | None:
        """Pid of the process while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start the process without waiting until it answers; does nothing if it runs already.

        Raises:
            OutputError: its folder cannot be written.
            StackError: the program cannot be started.
        """
        if self.alive:
            return
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.chmod(0o700)
            self._prepare()
            self._spawn(self._command())
        except OSError as error:
            reason = "the disk is full" if error.errno == errno.ENOSPC else f"{error.strerror} ({error.filename})"
            raise OutputError(
                f"cannot start {self.name} in {self.folder}: {reason}; free some space, or make the folder writable"
            ) from error
        self._should_run = True
        self._ties.changed()

    def wait_ready(self) -> None:
        """Wait until the service answers.

        Raises:
            ServiceDied: it ended instead; the message has the end of its log.
            StackError: it runs but does not answer within ``ready_seconds``.
        """
        deadline = time.monotonic() + self.ready_seconds
        while not self._probe():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} at {self.address} runs but did not answer in {self.ready_seconds:.0f} s; "
                    f"the end of its log:\n{self.tail()}"
                )
            time.sleep(0.03)

    def start(self) -> None:
        """Start and wait until it answers, on the same port and data as before.

        Raises:
            TocsinError: as :meth:`launch` and :meth:`wait_ready`.
        """
        self.launch()
        self.wait_ready()

    def check(self) -> None:
        """Raise if the service should run and does not.

        Raises:
            ServiceDied: the message has its exit code and the end of its log.
        """
        if self._should_run and not self.alive:
            raise ServiceDied(f"{self.name} at {self.address} {self._ending()}; the end of its log:\n{self.tail()}")

    def request_stop(self) -> None:
        """Send SIGTERM, without waiting."""
        self._should_run = False
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def terminate(self) -> None:
        """Stop it with SIGTERM, or with SIGKILL after ``STOP_SECONDS``."""
        self.request_stop()
        self._wait_end(STOP_SECONDS)
        self._ties.changed()

    def kill(self) -> None:
        """End it at once, like a crash (SIGKILL), and wait until it is gone."""
        self._should_run = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._ties.changed()

    def detach(self) -> None:
        """Leave the process running after this one ends."""
        self._should_run = False
        if self._process is not None and self._process.poll() is None:
            self._process.returncode = 0  # keeps Popen from warning about a child without a wait
        self._process = None

    def tail(self) -> str:
        """The last lines of the service's logs, indented."""
        return tail_of(self.folder, self.log_name)

    def _spawn(self, command: list[str]) -> None:
        command = tied(command) if self._ties.tied else command
        spawn(command, self.folder, self.folder / CONSOLE, self._ties.lock_fd, self._started)

    def _started(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def _wait_end(self, seconds: float) -> str:
        # Wait for the process to end, kill it after the time, and return how it ended.
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._ending()

    def _ending(self) -> str:
        return ending(self._process.returncode if self._process is not None else None)


def ending(returncode: int | None) -> str:
    """``"ended with exit code 1"``, or ``"was killed by SIGKILL"``; from :attr:`subprocess.Popen.returncode`."""
    if returncode is None:
        return "was never started"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def tail_of(folder: Path, log_name: str) -> str:
    """The last lines of the log and console output of a service with this folder, indented."""
    lines = last_lines(folder / log_name) + last_lines(folder / CONSOLE)
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:]) or "  (empty)"


def last_lines(path: Path, count: int = LOG_LINES) -> list[str]:
    """The last ``count`` lines of a text file (of its last 16 KiB); none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 16 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
