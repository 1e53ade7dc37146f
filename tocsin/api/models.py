"""Training a model and publishing it from a program."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from connections.kafka import KafkaConnection
from processors.adapters.models.artefact_store import ArtefactStore
from schemas.assignment import Assignment
from schemas.scope import Scope
from schemas.score import Stage
from tocsin.addresses import kafka_connection
from tocsin.models.keys import signing_key, trusted_keys
from tocsin.models.publish import announce_artefact, store_model
from tocsin.settings import load_settings


def train_model(
    recipe: str,
    data: Path | str | None = None,
    *,
    out: Path | str = "trained",
    seed: int = 7,
    version: str = "0.1.0",
    settings: Mapping[str, str] | None = None,
) -> Path:
    """Trains a model, measures it and writes it as one ONNX file with figures and pictures beside it.

    Args:
        recipe: its name; ``tocsin train --help`` lists them.
        data: folder of recordings; some recipes need none.
        out: folder for the results.
        seed: the same seed, data and settings give the same model.
        version: the model's version, as text.
        settings: options of the recipe by name, as text, such as ``{"preset": "small"}``.

    Returns:
        The ONNX file.

    Raises:
        SettingsError: there is no such recipe or option.
        InputError: the recordings cannot be used.
        ComponentMissing: a library of the ``train`` extra is not installed.
        OutputError: a file cannot be written.
    """
    # Imported late: training's libraries load in seconds, and publishing does not need them.
    from trainers.export.artefact import write
    from trainers.recipes.registry import recipe as recipe_of

    trained = recipe_of(recipe).train(None if data is None else Path(data), seed, settings or {})
    return write(trained, Path(out), seed, version)


async def publish_model(
    path: Path | str,
    *,
    scope: str = "all",
    stage: Stage = "champion",
    note: str = "",
    kafka: KafkaConnection | str | None = None,
) -> Assignment:
    """Checks a model as workers will, stores it, signs it if a key is set, and announces it to running workers.

    Args:
        path: the ONNX file of a trainer.
        scope: ``all``, ``kind:KIND`` or ``device:ID``.
        stage: ``champion`` scores and alerts; ``shadow`` only scores.
        note: for people, at most 500 characters.
        kafka: address, ``host:port``, or connection; None takes ``TOCSIN_KAFKA`` or the running local stack.

    Returns:
        The assignment that holds from now on.

    Raises:
        SettingsError: the scope is malformed.
        ModelRefused: the file does not pass; nothing is stored or announced.
        UnreadableInput: there is no such file.
        StoreUnavailable, BrokerUnavailable: it could not be stored or announced.
    """
    known = load_settings()
    bootstrap = kafka_connection(known, kafka)
    key, trusted = signing_key(known), trusted_keys(known)
    artefact, _ = await asyncio.to_thread(store_model, Path(path), ArtefactStore(known.store), key)
    devices = Scope.from_option(scope)
    return (await announce_artefact(artefact, bootstrap, devices, stage, note, key, trusted)).assignment
