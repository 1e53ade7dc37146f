"""The local cache of model files: fetched files, records of their checks, and the last good model of each target."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection
from pathlib import Path

import structlog
from pydantic import BaseModel, ValidationError

from processors.adapters.models.json_file import write_json
from processors.core.models.assignments import Target
from schemas.artefact import Artefact
from schemas.errors import ModelRefused, refusal_named

_log = structlog.get_logger(__name__)

_MAX_BYTES = 1024 * 1024 * 1024


class _Note(BaseModel):
    """A JSON file beside the models.

    Attributes:
        artefact: the model that it is about.
        by: of a check: its checker, see :meth:`ModelCache.is_checked`.
        revision, error, message: of a failure in service.
    """

    artefact: Artefact
    by: str = ""
    revision: int = -1
    error: str = ""
    message: str = ""


class ModelCache:
    """Files named by their digest. Several workers may share the folder: every file is written atomically.

    Args:
        folder: created with the first file.
        max_bytes: bound on all models in it; those in use stay in any case.
    """

    def __init__(self, folder: Path, max_bytes: int = _MAX_BYTES) -> None:
        self.folder = folder
        self._max_bytes = max_bytes

    def path(self, sha256: str) -> Path:
        """The path of a model's file, cached or not."""
        return self.folder / f"{sha256}.onnx"

    def is_checked(self, artefact: Artefact, by: str) -> bool:
        """Whether this very artefact was checked here.

        Args:
            artefact: as announced.
            by: identifies the checker: its version and limits; a check by another does not count.
        """
        note = _read(self._checked(artefact.sha256))
        return note is not None and note.by == by and _same(note.artefact, artefact)

    def note_checked(self, artefact: Artefact, by: str) -> None:
        """Records that a model passed."""
        _write(self._checked(artefact.sha256), _Note(artefact=artefact, by=by))

    def last_good(self, target: Target) -> Artefact | None:
        """The model that scored a target last, if known."""
        note = _read(self._good(target))
        return None if note is None else note.artefact

    def remember(self, target: Target, artefact: Artefact | None) -> None:
        """Records the model that scores a target from now on; None deletes the record."""
        path = self._good(target)
        if artefact is not None:
            _write(path, _Note(artefact=artefact))
            return
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    def failure(self, target: Target, revision: int, artefact: Artefact) -> ModelRefused | None:
        """Why this very artefact failed while it scored a target under this revision; None where it did not."""
        note = _read(self._failed(target))
        if note is None or note.revision != revision or not _same(note.artefact, artefact):
            return None
        return refusal_named(note.error, note.message)

    def note_failure(self, target: Target, revision: int, artefact: Artefact, error: ModelRefused) -> None:
        """Records that a model failed while it scored, so that a worker that starts anew does not try it."""
        note = _Note(artefact=artefact, revision=revision, error=type(error).__name__, message=str(error)[:2_000])
        _write(self._failed(target), note)

    def evict(self, used: Collection[str]) -> None:
        """Deletes the least recently used models beyond the bound, except ``used`` and the targets' last good ones."""
        notes = (_read(path) for path in self.folder.glob("good-*.json"))
        protected = {*used, *(note.artefact.sha256 for note in notes if note is not None)}
        found = []
        for path in self.folder.glob("*.onnx"):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path.stem))
        total = sum(size for _, size, _ in found)
        for _, size, sha256 in sorted(found):
            if total <= self._max_bytes:
                return
            if sha256 not in protected:
                with contextlib.suppress(OSError):
                    self._checked(sha256).unlink(missing_ok=True)
                    self.path(sha256).unlink(missing_ok=True)
                total -= size

    def _checked(self, sha256: str) -> Path:
        return self.folder / f"checked-{sha256}.json"

    def _good(self, target: Target) -> Path:
        return self.folder / f"good-{_file_name(target)}.json"

    def _failed(self, target: Target) -> Path:
        return self.folder / f"failed-{_file_name(target)}.json"


def _file_name(target: Target) -> str:
    # A digest, because scopes hold characters that file names cannot.
    name = hashlib.sha256("/".join(target).encode()).hexdigest()[:32]
    return f"{target.detector}-{target.stage}-{name}"


def _same(one: Artefact, other: Artefact) -> bool:
    return one.signed_bytes() == other.signed_bytes() and one.features_hash == other.features_hash


def _read(path: Path) -> _Note | None:
    try:
        return _Note.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(path: Path, note: _Note) -> None:
    try:
        write_json(path, note)
    except OSError as error:
        # Models are then checked again, and a worker that starts while the store is unavailable waits for it.
        _log.warning("the cache of models cannot be written", path=str(path), error=error.strerror)
