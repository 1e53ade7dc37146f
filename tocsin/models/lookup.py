"""Finding a model by what a user types: a file, the beginning of a digest, or a detector and a scope."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from processors.adapters.models.artefact_store import ArtefactStore
from schemas.artefact import Artefact
from schemas.assignment import Assignment
from schemas.errors import SettingsError
from schemas.scope import ALL
from schemas.score import Stage
from tocsin.models.assignments import artefacts_of, assignment_of

_MIN_DIGEST = 6
_HEX = set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file on this machine.

    Attributes:
        path: the file; a downloaded one is deleted when its context ends.
        artefact: as announced; None for a user-supplied file.
    """

    path: Path
    artefact: Artefact | None


def is_file(reference: str) -> bool:
    """Whether a reference is the path of a file: one that exists, or text that looks like a path."""
    return Path(reference).exists() or reference.endswith(".onnx") or reference.startswith((".", "/", "~"))


def find_artefact(reference: str, stage: Stage, assignments: dict[str, Assignment]) -> Artefact:
    """The announced model that ``<digest>``, ``<detector>`` or ``<detector>/<scope>`` refers to.

    Args:
        reference: at least the first 6 digits of a digest, or a key of an assignment.
        stage: which model of the assignment.
        assignments: by key.

    Raises:
        SettingsError: it refers to no model, or to several.
    """
    if len(reference) >= _MIN_DIGEST and set(reference) <= _HEX:
        found = [artefact for sha256, artefact in artefacts_of(assignments).items() if sha256.startswith(reference)]
        if len(found) == 1:
            return found[0]
        if found:
            raise SettingsError(f"{len(found)} models begin with {reference!r}: give more of the digest")
    key = reference if "/" in reference else f"{reference}/{ALL}"
    artefact = getattr(assignment_of(assignments, key), stage)
    if not isinstance(artefact, Artefact):
        raise SettingsError(f"{key} has no {stage}: see `tocsin models list`")
    return artefact


@contextmanager
def downloaded(artefact: Artefact, store: ArtefactStore) -> Iterator[ModelFile]:
    """An announced model, downloaded for as long as the context lasts.

    Raises:
        ModelRefused, StoreUnavailable: as in :meth:`processors.adapters.models.artefact_store.ArtefactStore.fetch`.
    """
    with TemporaryDirectory(prefix="tocsin-") as folder:
        yield ModelFile(store.fetch(artefact, Path(folder)), artefact)
