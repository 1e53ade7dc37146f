"""Checkpoints: an interrupted run goes on where it was, and ends with the model it would have had."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from schemas.errors import OutputError, TocsinError, UnreadableInput
from trainers.files import write_whole

FOLDER = ".checkpoints"

_RUN: ContextVar[_Run | None] = ContextVar("run", default=None)


class _Run:
    """The checkpoints of one run: one a fit, numbered in the order of the fits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fits = 0


class Checkpoint:
    """What one fit keeps on the disk.

    Args:
        path: the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """For messages."""
        return str(self._path)

    def load(self) -> bytes | None:
        """What was kept last; None where nothing was.

        Raises:
            UnreadableInput: the file cannot be read.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise UnreadableInput(
                f"{self._path} cannot be read: {error.strerror}: it is removed; the same command begins anew"
            ) from None

    def keep(self, state: bytes) -> None:
        """Keeps a state in place of the last one.

        Raises:
            OutputError: the disk is full, say; the last one is still there.
        """
        if self._path is not None:
            write_whole(self._path, state)


@contextmanager
def resumable(out: Path, what: Mapping[str, Any]) -> Iterator[Path]:
    """Fits inside keep checkpoints in ``out``, and take up those of a run that was interrupted.

    They go when the run has ended well, and when it has met what the same command would meet again: a file that cannot
    be learned from, a score that runs the wrong way, a model that cannot be exported. They stay where it was stopped,
    or the disk was full.

    Args:
        out: the run's folder.
        what: all that decides the run's result, as JSON; checkpoints of any other run are not touched, but where this
            one ends well.

    Yields:
        Where this run's checkpoints are, or would be.

    Raises:
        OutputError: what was raised inside, with where the run may go on from.
    """
    made = not out.exists()
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    folder = out / FOLDER / key
    token = _RUN.set(_Run(folder))
    try:
        yield folder
    except OutputError as error:
        told = going_on(folder)
        if not told:
            _leave_nothing(folder, out if made else None)
        raise OutputError(f"{error}{told}") from None
    except TocsinError:
        _leave_nothing(folder, out if made else None)
        raise
    finally:
        _RUN.reset(token)
    _remove(*(out / FOLDER).glob("*"))


def going_on(folder: Path) -> str:
    """What to tell of a run that was broken off, by its folder of checkpoints: nothing, where nothing is kept."""
    if not any(folder.glob("*.pt")):
        return ""
    return f"; what was trained so far is kept in {folder}: the same command goes on from there, or remove that folder"


def _leave_nothing(folder: Path, made: Path | None) -> None:
    """Removes a run's checkpoints, and the run's folder if the run made it and it holds nothing else."""
    _remove(folder)
    if made is not None:
        with suppress(OSError):
            made.rmdir()


def _remove(*runs: Path) -> None:
    """Removes checkpoints of runs, and the folder above them where no other run's are in it."""
    for run in runs:
        shutil.rmtree(run, ignore_errors=True)
        with suppress(OSError):
            run.parent.rmdir()


def next_checkpoint() -> Checkpoint:
    """The checkpoint of the next fit of this run; one that keeps nothing outside of :func:`resumable`."""
    run = _RUN.get()
    if run is None:
        return Checkpoint(None)
    run.fits += 1
    return Checkpoint(run.folder / f"{run.fits:04}.pt")
