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
class Hold:
    """What binds the parts to their stack.

    Attributes:
        lock_fd: the data folder's lock, inherited by every part.
        tied: whether a part is killed when this process ends.
        changed: called after a part has started or ended.
    """

    lock_fd: int
    tied: bool
    changed: Callable[[], None]


class Service(ABC):
    """Base of the parts. Not safe for several threads at once.

    Args:
        folder: the part's own folder; made at the first start.
        port: where it listens on 127.0.0.1; the same at each start.
        hold: as :class:`Hold` says.
    """

    name: ClassVar[str]
    log_name: ClassVar[str]
    ready_seconds: ClassVar[float] = 90.0

    def __init__(self, folder: Path, port: int, hold: Hold) -> None:
        self.folder = folder
        self.port = port
        self._hold = hold
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients reach it."""

    @property
    @abstractmethod
    def version(self) -> str:
        """The part's version."""

    @abstractmethod
    def _prepare(self) -> None:
        """Write settings and whatever else must be there before the start."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Program and arguments, run in the part's folder."""

    @abstractmethod
    def _probe(self) -> bool:
        """Whether this very process serves now; a round trip that takes at most a second or so."""

    @property
    def pid(self) -> int | None:
        """The process, while it lives."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start the process without waiting until it serves; nothing where it runs already.

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
                f"cannot start {self.name} in {self.folder}: {reason}; make room, or mend that"
            ) from error
        self._wanted = True
        self._hold.changed()

    def wait_ready(self) -> None:
        """Wait until the part answers.

        Raises:
            ServiceDied: it ended instead; with the end of its log.
            StackError: it runs but did not answer in ``ready_seconds``.
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
        """Raise if the part should run and does not.

        Raises:
            ServiceDied: with exit code and the end of its log.
        """
        if self._wanted and not self.alive:
            raise ServiceDied(f"{self.name} at {self.address} {self._ending()}; the end of its log:\n{self.tail()}")

    def request_stop(self) -> None:
        """Ask it to end in order, without waiting."""
        self._wanted = False
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def terminate(self) -> None:
        """End it in order; killed where that takes longer than ``STOP_SECONDS``."""
        self.request_stop()
        self._wait_end(STOP_SECONDS)
        self._hold.changed()

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL), and wait until it is gone."""
        self._wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._hold.changed()

    def let_go(self) -> None:
        """Leave the process running after us."""
        self._wanted = False
        if self._process is not None and self._process.poll() is None:
            self._process.returncode = 0  # else Popen warns, when it goes, of a child nobody waited for
        self._process = None

    def tail(self) -> str:
        """The last lines of what the part wrote, indented."""
        return tail_of(self.folder, self.log_name)

    def _spawn(self, command: list[str]) -> None:
        command = tied(command) if self._hold.tied else command
        spawn(command, self.folder, self.folder / CONSOLE, self._hold.lock_fd, self._started)

    def _started(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def _wait_end(self, seconds: float) -> str:
        # Wait for the process to end, kill it where it takes longer, and say how it ended.
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
    """``"ended with exit code 1"``, or ``"was killed by SIGKILL"``; as :attr:`subprocess.Popen.returncode` tells it."""
    if returncode is None:
        return "was never started"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def tail_of(folder: Path, log_name: str) -> str:
    """The last lines of what a part with this folder wrote, to its log or elsewhere, indented."""
    lines = last_lines(folder / log_name) + last_lines(folder / CONSOLE)
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:]) or "  (empty)"


def last_lines(path: Path, count: int = LOG_LINES) -> list[str]:
    """The last ``count`` lines of a text file (of its last 16 KiB); none where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 16 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
