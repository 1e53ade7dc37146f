"""Publishing a model file: check, store, sign, announce."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connections.kafka import KafkaConnection
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.check.artefact import CheckReport
from processors.adapters.models.signing import sign
from schemas.artefact import Artefact
from schemas.assignment import Assignment
from schemas.errors import DigestMismatch, SettingsError
from schemas.scope import ALL, Scope
from schemas.score import Stage
from tocsin.models.assignments import Announcement, announce
from tocsin.models.changes import with_model
from tocsin.models.model_file import examine_file


def publish(
    path: Path,
    *,
    store: ArtefactStore,
    kafka: KafkaConnection,
    scope: Scope = ALL,
    stage: Stage = "champion",
    key: Ed25519PrivateKey | None = None,
    note: str = "",
    trusted: Sequence[Ed25519PublicKey] = (),
) -> Assignment:
    """Checks a model as workers will, stores and announces it; blocks.

    Args:
        path: the ONNX file.
        store: where workers fetch models.
        kafka: the connection to Kafka.
        scope: the devices that it scores.
        stage: ``champion`` or ``shadow``.
        key: to sign it and its announcement with; None leaves both unsigned.
        note: for people, at most 500 characters.
        trusted: keys that workers trust; see :func:`tocsin.models.assignments.announce`.

    Returns:
        The new assignment.

    Raises:
        ModelRefused: the file fails a check; nothing is stored or announced.
        UnreadableInput: the file does not exist.
        StoreUnavailable, BrokerUnavailable: it could not be stored, or not announced.
    """
    stored, _ = store_model(path, store, key)
    return asyncio.run(announce_artefact(stored, kafka, scope, stage, note, key, trusted)).assignment


def store_model(
    path: Path, store: ArtefactStore, key: Ed25519PrivateKey | None, detector: str | None = None
) -> tuple[Artefact, CheckReport]:
    """Checks, stores and signs a file; as :func:`publish`.

    Raises:
        SettingsError: the model is not for ``detector``.
    """
    report = examine_file(path)
    if detector is not None and report.manifest.detector != detector:
        raise SettingsError(f"{path} is a model for {report.manifest.detector!r}, not {detector!r}")
    url = store.put(path)
    if url != store.url_of(report.sha256):
        raise DigestMismatch(f"{path} changed while it was published: publish it again")
    artefact = Artefact(
        detector=report.manifest.detector,
        model_id=report.manifest.model_id,
        version=report.manifest.version,
        sha256=report.sha256,
        size=report.size,
        url=url,
        features_hash=report.manifest.features_hash,
        published_ns=time.time_ns(),
    )
    return artefact if key is None else sign(artefact, key), report


async def announce_artefact(
    artefact: Artefact,
    kafka: KafkaConnection,
    scope: Scope,
    stage: Stage,
    note: str,
    key: Ed25519PrivateKey | None = None,
    trusted: Sequence[Ed25519PublicKey] = (),
) -> Announcement:
    """Announces an artefact of :func:`store_model`; as :func:`publish`."""

    def change(current: Assignment | None, now_ns: int) -> Assignment:
        return with_model(current, artefact, scope, stage, note, now_ns)

    return await announce(kafka, f"{artefact.detector}/{scope}", change, key, trusted)
