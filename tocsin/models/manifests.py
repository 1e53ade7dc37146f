"""The manifest of a model that scores name, and what it says against its model."""

from __future__ import annotations

from collections.abc import Mapping

from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.check.artefact import read_manifest
from processors.adapters.models.onnx_model import load_shipped
from processors.core.alerting.detectors import DETECTORS
from schemas.errors import SettingsError
from schemas.manifest import Manifest
from schemas.score import ModelRef
from tocsin.models.assignments import artefacts_of, read_assignments
from tocsin.models.reference import at_hand


async def manifest_of(bootstrap: str, store: str, model: ModelRef) -> Manifest:
    """What a model says of itself: one that ships with this build, or one that was announced.

    Args:
        bootstrap: Kafka's address.
        store: address of the artefact store.
        model: as scores name it.

    Raises:
        SettingsError: it is neither.
        ModelRefused, StoreUnavailable: its file cannot be had.
    """
    for name in DETECTORS:
        shipped = load_shipped(name)
        if shipped.sha256 == model.sha256:
            return shipped.manifest
    artefact = artefacts_of(await read_assignments(bootstrap)).get(model.sha256)
    if artefact is None:
        raise SettingsError(
            f"model {model.name} {model.version} ({model.sha256[:12]}) neither ships with this build nor was announced:"
            " its scores cannot be judged again here"
        )
    with at_hand(artefact, ArtefactStore(store)) as named:
        return read_manifest(named.path)[0]


def worse_than_chance(metrics: Mapping[str, float]) -> dict[str, float]:
    """The areas under ROC curves that are below a half: of what a model scores the wrong way."""
    return {name: value for name, value in metrics.items() if "auc" in name.split("_") and value < 0.5}
