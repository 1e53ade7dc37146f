"""The demo's folders: a new one per run for the stack, and the one for results."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import OutputError
from tocsin.stack.locks import FolderLock

_PREFIX = "demo-"


@contextmanager
def stack_folder(data: Path) -> Iterator[Path]:
    """A new folder inside ``data``, removed afterwards, with those that killed demos have left.

    Raises:
        OutputError: it cannot be created.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        for leftover in data.glob(f"{_PREFIX}*"):
            lock = FolderLock(leftover / "lock", f"the folder {leftover}")
            if lock.try_acquire():
                lock.release()
                shutil.rmtree(leftover, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=data))
    except OSError as error:
        raise OutputError(f"{data}: {error.strerror}: name another folder with --data") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def results_folder(out: Path) -> Path:
    """The folder for results, emptied of those of an earlier run.

    Raises:
        OutputError: it cannot be created or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = ("alerts.jsonl", "live-view.svg", "worker.log", "learn.log")
        for path in (*out.glob("alert-*.png"), *out.glob("learned/*"), *(out / name for name in files)):
            path.unlink(missing_ok=True)
        (out / "alerts.jsonl").touch()
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror}: name another folder with --out") from None
    return out
