"""What people name a model by: a file, a digest, or a detector and a scope."""

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
from tocsin.models.assignments import artefacts_of, named

_SHORTEST_DIGEST = 6
_HEX = set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Named:
    """A model at hand.

    Attributes:
        path: the file; one that was fetched goes with the context it came from.
        artefact: as announced; None for a file of the user's own.
    """

    path: Path
    artefact: Artefact | None


def is_file(reference: str) -> bool:
    """Whether a reference means a file, there or not: it is there, or looks like a path."""
    return Path(reference).exists() or reference.endswith(".onnx") or reference.startswith((".", "/", "~"))


def find(reference: str, stage: Stage, assignments: dict[str, Assignment]) -> Artefact:
    """The announced model that ``<digest>``, ``<detector>`` or ``<detector>/<scope>`` means.

    Args:
        reference: at least 6 digits of a digest, or an assignment's key.
        stage: which of an assignment's two.
        assignments: by key.

    Raises:
        SettingsError: nothing, or more than one model, goes by it.
    """
    if len(reference) >= _SHORTEST_DIGEST and set(reference) <= _HEX:
        found = [artefact for sha256, artefact in artefacts_of(assignments).items() if sha256.startswith(reference)]
        if len(found) == 1:
            return found[0]
        if found:
            raise SettingsError(f"{len(found)} models begin with {reference!r}: give more of the digest")
    key = reference if "/" in reference else f"{reference}/{ALL}"
    artefact = getattr(named(assignments, key), stage)
    if not isinstance(artefact, Artefact):
        raise SettingsError(f"{key} has no {stage}: see `tocsin models list`")
    return artefact


@contextmanager
def at_hand(artefact: Artefact, store: ArtefactStore) -> Iterator[Named]:
    """An announced model's file, fetched for as long as the context lasts.

    Raises:
        ModelRefused, StoreUnavailable: as in :meth:`processors.adapters.models.artefact_store.ArtefactStore.fetch`.
    """
    with TemporaryDirectory(prefix="tocsin-") as folder:
        yield Named(store.fetch(artefact, Path(folder)), artefact)
