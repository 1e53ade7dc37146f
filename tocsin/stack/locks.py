"""Locks on folders that are released when the process that holds them ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.errors import OutputError, StackBusy

COMMAND_WAIT_S = 180.0
LOCK_GRACE_S = 10.0


class FolderLock:
    """An advisory lock on a file; children that inherit ``fd`` keep it for as long as they live.

    ``flock`` and not ``lockf``: a child does not inherit a POSIX record lock, and any close of the file releases it.
    The file itself is never removed; only the kernel's lock counts, so that no stale lock can be left behind.

    Args:
        path: the lock file, created if missing; its folder must exist.
        what: what the lock guards, for the error message.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """Descriptor of the open lock file; only while the lock is held."""
        if self._fd is None:
            raise RuntimeError(f"{self._path} is not locked")
        return self._fd

    def try_acquire(self) -> bool:
        """Take the lock if it is free.

        Raises:
            OutputError: the file cannot be opened, or its file system has no locks.
        """
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(
                f"cannot open {self._path}: {error.strerror}; choose a folder you can write to"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise OutputError(f"cannot lock {self._path}: {error.strerror}; choose a folder on a local disk") from error
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True

    def acquire(self, wait_s: float = 0.0) -> None:
        """Take the lock, waiting up to ``wait_s`` seconds for its holder.

        Raises:
            StackBusy: another process has held it all that time.
            OutputError: as in :meth:`try_acquire`.
        """
        deadline = time.monotonic() + wait_s
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise StackBusy(f"{self._what} is in use by process {self.owner() or 'unknown'}")
            time.sleep(0.05)

    def owner(self) -> int | None:
        """Pid of the process that took the lock last."""
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Release the lock, for every process that inherited it as well."""
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self.leave()

    def leave(self) -> None:
        """Close our descriptor only: children that inherited the lock keep it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        if self._fd is None:
            self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_commands(data: Path) -> FolderLock:
    """A held lock on ``data``: only one command at a time may start or stop services there.

    Raises:
        OutputError: the folder cannot be written.
        StackBusy: another command has held the lock for three minutes.
    """
    lock = FolderLock(data / "command.lock", f"the data folder {data}")
    lock.acquire(wait_s=COMMAND_WAIT_S)
    return lock
