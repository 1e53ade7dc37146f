"""Manifests of models that scores refer to, and the metrics in which a model is worse than chance."""

from __future__ import annotations

from collections.abc import Mapping

from connections.kafka import KafkaConnection
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.check.artefact import read_manifest
from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import load_shipped_models
from schemas.errors import SettingsError
from schemas.manifest import Manifest
from schemas.score import ModelRef
from tocsin.models.assignments import Trusted, artefacts_of, read_assignments
from tocsin.models.lookup import downloaded


async def manifest_of(bootstrap: KafkaConnection, store: str, model: ModelRef, trusted: Trusted = ()) -> Manifest:
    """The manifest of a shipped or announced model.

    Args:
        bootstrap: the connection to Kafka.
        store: address of the artefact store.
        model: as scores refer to it.
        trusted: see :func:`tocsin.models.assignments.read_assignments`.

    Raises:
        SettingsError: the model is neither shipped nor announced.
        ModelRefused, StoreUnavailable: its file cannot be fetched.
    """
    for shipped in load_shipped_models(load_detectors()).values():
        if shipped.sha256 == model.sha256:
            return shipped.manifest
    artefact = artefacts_of(await read_assignments(bootstrap, trusted)).get(model.sha256)
    if artefact is None:
        raise SettingsError(
            f"model {model.name} {model.version} ({model.sha256[:12]}) neither ships with this build nor was announced:"
            " its scores cannot be replayed here"
        )
    with downloaded(artefact, ArtefactStore(store)) as file:
        return read_manifest(file.path)[0]


def worse_than_chance(metrics: Mapping[str, float]) -> dict[str, float]:
    """The areas under ROC curves below 0.5: anomalies that the model scores below normal sound."""
    return {name: value for name, value in metrics.items() if "auc" in name.split("_") and value < 0.5}
