"""One install at a time in a components folder, and the digest that shows whether a file is the pinned one."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import OutputError
from tocsin.stack.locks import FolderLock

INSTALL_WAIT_SECONDS = 600.0
Progress = Callable[[str], None]


def digest(path: Path) -> str:
    """sha256 of a file, in hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def installing(components: Path) -> Iterator[None]:
    """Lock the components folder, created if missing; file system errors in the block become errors about this folder.

    Raises:
        OutputError: the components folder cannot be written.
        StackBusy: another install has held the folder for ten minutes.
    """
    try:
        components.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(components / "install.lock", f"the components folder {components}")
        lock.acquire(wait_s=INSTALL_WAIT_SECONDS)
        with lock:
            yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise OutputError(
            f"cannot write the components folder {components}: {reason}; make room or choose another with --components"
        ) from error
