"""Checkpoints: an interrupted run resumes and ends with the same model as an uninterrupted one."""

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
from trainers.files import write_atomically

FOLDER = ".checkpoints"

_RUN: ContextVar[_Run | None] = ContextVar("run", default=None)


class _Run:
    """The checkpoints of one run: one per fit, numbered in the order of the fits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fits = 0


class Checkpoint:
    """The checkpoint file of one fit.

    Args:
        path: the file; None saves nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """The path, for messages."""
        return str(self._path)

    def load(self) -> bytes | None:
        """The last saved state; None if there is none.

        Raises:
            UnreadableInput: the file cannot be read.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise UnreadableInput(
                f"{self._path} cannot be read: {error.strerror}: it is removed; the same command starts again"
            ) from None

    def save(self, state: bytes) -> None:
        """Replaces the saved state, atomically.

        Raises:
            OutputError: it cannot be written; the last state is still there.
        """
        if self._path is not None:
            write_atomically(self._path, state)


@contextmanager
def resumable(out: Path, identity: Mapping[str, Any]) -> Iterator[Path]:
    """Fits inside save checkpoints in ``out`` and resume from those of an interrupted run.

    They are removed when the run succeeds, or fails with an error that the same command would meet again: an unusable
    file, an inverted score, a model that cannot be exported. They stay if the run is stopped or the disk is full.

    Args:
        out: the run's folder.
        identity: everything that determines the run's result, JSON-serialisable; checkpoints of other runs are removed
            only if this one succeeds.

    Yields:
        The folder of this run's checkpoints, which may not exist.

    Raises:
        OutputError: as raised inside, with a hint how to resume.
    """
    created = not out.exists()
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = out / FOLDER / key
    token = _RUN.set(_Run(folder))
    try:
        yield folder
    except OutputError as error:
        hint = resume_hint(folder)
        if not hint:
            _clean_up(folder, out if created else None)
        raise OutputError(f"{error}{hint}") from None
    except TocsinError:
        _clean_up(folder, out if created else None)
        raise
    finally:
        _RUN.reset(token)
    _remove(*(out / FOLDER).glob("*"))


def resume_hint(folder: Path) -> str:
    """How to resume an interrupted run, from its checkpoint folder; empty without checkpoints."""
    if not any(folder.glob("*.pt")):
        return ""
    return f"; training so far is saved in {folder}: the same command resumes there, or remove that folder"


def _clean_up(folder: Path, created: Path | None) -> None:
    """Removes a run's checkpoints, and the run's folder if the run created it and it is empty."""
    _remove(folder)
    if created is not None:
        with suppress(OSError):
            created.rmdir()


def _remove(*runs: Path) -> None:
    """Removes checkpoints of runs, and their parent folder if it is then empty."""
    for run in runs:
        shutil.rmtree(run, ignore_errors=True)
        with suppress(OSError):
            run.parent.rmdir()


def next_checkpoint() -> Checkpoint:
    """The checkpoint of this run's next fit; outside of :func:`resumable` one that saves nothing."""
    run = _RUN.get()
    if run is None:
        return Checkpoint(None)
    run.fits += 1
    return Checkpoint(run.folder / f"{run.fits:04}.pt")
