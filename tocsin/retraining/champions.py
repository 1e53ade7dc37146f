"""The present champion of each device: the assigned model, or the shipped one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.check.artefact import check_artefact
from processors.adapters.models.onnx_model import OnnxModel, load_model, load_shipped
from schemas.artefact import Artefact
from schemas.assignment import Assignment
from schemas.device import DeviceKind
from schemas.errors import ManifestInvalid
from schemas.scope import scopes_of


def champions_of(
    kinds: Mapping[str, DeviceKind],
    detector: str,
    assignments: Mapping[str, Assignment],
    store: ArtefactStore,
    trusted: Sequence[Ed25519PublicKey],
    into: Path,
) -> dict[str, OnnxModel | None]:
    """The champion of each device; None if no model is assigned or shipped.

    Args:
        kinds: kind by device.
        detector: the detector's name.
        assignments: newest by key.
        store: of published models.
        trusted: if not empty, one of these keys must have signed a published model.
        into: folder to download published models to.

    Raises:
        ModelRefused: a champion fails a check.
        StoreUnavailable: the store does not answer, or lacks the model.
    """
    loaded: dict[str | None, OnnxModel | None] = {}
    found: dict[str, OnnxModel | None] = {}
    for device, kind in kinds.items():
        artefact = _assigned(device, kind, detector, assignments)
        digest = None if artefact is None else artefact.sha256
        if digest not in loaded:
            loaded[digest] = _shipped(detector) if artefact is None else _published(artefact, store, trusted, into)
        found[device] = loaded[digest]
    return found


def _assigned(device: str, kind: DeviceKind, detector: str, assignments: Mapping[str, Assignment]) -> Artefact | None:
    candidates = (assignments.get(f"{detector}/{scope}") for scope in scopes_of(device, kind))
    return next((one.champion for one in candidates if one is not None and one.champion is not None), None)


def _published(artefact: Artefact, store: ArtefactStore, trusted: Sequence[Ed25519PublicKey], into: Path) -> OnnxModel:
    path = store.fetch(artefact, into)
    check_artefact(path, artefact, trusted_keys=trusted)
    return load_model(path, artefact.sha256)


def _shipped(detector: str) -> OnnxModel | None:
    try:
        return load_shipped(detector)
    except ManifestInvalid:
        return None
