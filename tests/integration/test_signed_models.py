"""Signed announcements on the real broker: nothing unsigned, replayed or removed changes what a worker scores with."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from connections.kafka import KafkaConnection
from processors.adapters.models.announcements import Announcements
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.assigned import AssignedModels
from processors.adapters.models.cache import ModelCache
from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.signing import load_private_key, load_trusted_keys, write_keys
from processors.adapters.models.source import ModelSource
from processors.core.models.assignments import ModelAssignments, Target
from schemas.assignment import ModelStatus
from schemas.record import Record
from schemas.scope import Scope
from schemas.topics import MODELS
from tests.integration.test_models_commands import model
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of
from tocsin.models.publish import publish

pytestmark = pytest.mark.integration


class Worker:
    """A worker's models: from the real topic, store and checks."""

    def __init__(self, kafka: str, folder: Path, public: Path, scope: Scope) -> None:
        trusted, cache = load_trusted_keys(public), folder / "cache"
        self.statuses: list[ModelStatus] = []
        self._models, self._scope = ModelAssignments({}), scope
        self.followed = AssignedModels(
            KafkaConnection(kafka),
            self._models,
            ModelSource(ArtefactStore(folder / "store"), ModelCache(cache), trusted),
            self._send,
            load_detectors(),
            announcements=Announcements(trusted, cache),
        )

    async def _send(self, record: Record) -> None:
        status = ModelStatus.from_record(record)
        if status.scope == self._scope:
            self.statuses.append(status)

    def version(self) -> str | None:
        found = self._models.get(Target("machine", self._scope, "champion"))
        return None if found is None else found.ref.version

    def refusals(self) -> list[str]:
        return [status.error for status in self.statuses if status.state == "refused"]


async def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def send(kafka: str, record: Record) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        headers = list(record.headers)
        await producer.send_and_wait(MODELS.name, record.value, key=record.key, headers=headers)


async def test_nothing_unsigned_replayed_or_removed_changes_a_model(kafka: str, tmp_path: Path) -> None:
    private, public = write_keys(tmp_path / "keys")
    key, trusted = load_private_key(private), load_trusted_keys(public)
    scope = Scope.of_device(uuid.uuid4().hex[:12])
    store = ArtefactStore(tmp_path / "store")
    files = [model(tmp_path, version) for version in ("1", "2", "3")]

    async def announce(number: int, *, signed: bool = True) -> None:
        call = {"key": key, "trusted": trusted} if signed else {}
        await asyncio.to_thread(publish, files[number], store=store, kafka=KafkaConnection(kafka), scope=scope, **call)

    worker = Worker(kafka, tmp_path, public, scope)
    await announce(0)
    await worker.followed.start()
    try:
        assert worker.version() == "1"
        (first,) = await records(kafka, f"machine/{scope}")
        await announce(1)
        await until(lambda: worker.version() == "2")

        await announce(2, signed=False)
        await until(lambda: worker.refusals() == ["Unsigned"])
        await send(kafka, first)
        await until(lambda: worker.refusals() == ["Unsigned", "Replayed"])
        await send(kafka, Record(first.key, None, first.headers))
        await send(
            kafka, Record(first.key, (first.value or b"").replace(b'"revision":1', b'"revision":9'), first.headers)
        )
        await until(lambda: worker.refusals() == ["Unsigned", "Replayed", "WrongSignature"])
        assert worker.version() == "2"
    finally:
        await worker.followed.stop()

    # The newest record under the key is forged, and a tombstone came before: a restart changes nothing.
    again = Worker(kafka, tmp_path, public, scope)
    await again.followed.start()
    try:
        assert again.version() == "2"
        await announce(2)
        await until(lambda: again.version() == "3")
    finally:
        await again.followed.stop()


async def records(kafka: str, key: str) -> list[Record]:
    """All records under a key of the models topic."""
    consumer: AIOKafkaConsumer
    async with consumer_of(KafkaConnection(kafka), [MODELS]) as consumer:
        return [record_of(message) async for message in read_to_end(consumer) if message.key == key.encode()]
