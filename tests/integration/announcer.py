"""Publishes and announces models as an operator would, and reads the workers' statuses."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from types import TracebackType

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from processors.adapters.models.artefact_store import ArtefactStore
from schemas.artefact import Artefact
from schemas.assignment import Assignment, ModelStatus
from schemas.features import FeatureSpec
from schemas.record import Record
from schemas.topics import MODEL_STATUS, MODELS
from tests.crafted import MACHINE, craft


class Announcer:
    """Crafts models, keeps them in a store and announces them for all machines.

    Args:
        kafka: bootstrap address.
        folder: the store lies in ``store`` here.
    """

    def __init__(self, kafka: str, folder: Path) -> None:
        self._kafka = kafka
        self.folder = folder
        self.store = ArtefactStore(folder / "store")
        self.statuses: list[ModelStatus] = []
        self.scales: dict[str, float] = {}
        self.specs: dict[str, FeatureSpec] = {}
        self._revision = 0
        self._announced: set[str] = set()

    async def __aenter__(self) -> Announcer:
        self._producer = AIOKafkaProducer(bootstrap_servers=self._kafka)
        self._consumer = AIOKafkaConsumer(
            MODEL_STATUS.name, bootstrap_servers=self._kafka, group_id=None, auto_offset_reset="latest"
        )
        await self._producer.start()
        await self._consumer.start()
        await self._consumer.seek_to_end()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for key in self._announced:
            await self._producer.send_and_wait(MODELS.name, None, key=key.encode())
        await self._producer.stop()
        # It may raise what it was itself cancelled with when the broker is slow.
        await asyncio.gather(self._consumer.stop(), return_exceptions=True)

    def model(self, version: str, scale: float, spec: FeatureSpec = MACHINE, **faults: float | str) -> Artefact:
        """Crafts a model and keeps it in the store; ``faults`` as in :func:`tests.crafted.craft`."""
        path = craft(self.folder / f"{version}.onnx", version, scale, spec, **faults)
        url = self.store.put(path)
        sha256 = url.rpartition("/")[2].removesuffix(".onnx")
        self.scales[sha256], self.specs[sha256] = scale, spec
        return Artefact(
            detector="machine",
            model_id="crafted",
            version=version,
            sha256=sha256,
            size=path.stat().st_size,
            url=url,
            features_hash=str(faults.get("features_hash", spec.hash())),
            published_ns=time.time_ns(),
        )

    async def announce(
        self, champion: Artefact | None, shadow: Artefact | None = None, scope: str = "all", revision: int | None = None
    ) -> int:
        """Announces an assignment; returns its revision."""
        self._revision += 1
        assignment = Assignment(
            detector="machine",
            scope=scope,
            champion=champion,
            shadow=shadow,
            revision=self._revision if revision is None else revision,
            announced_ns=time.time_ns(),
        )
        record = assignment.to_record()
        self._announced.add(assignment.key())
        await self._producer.send_and_wait(MODELS.name, record.value, key=record.key, headers=list(record.headers))
        return assignment.revision

    async def raw(self, value: bytes, key: bytes) -> None:
        """Sends any value to the models topic."""
        await self._producer.send_and_wait(MODELS.name, value, key=key)

    async def wait_for_statuses(
        self, revision: int, state: str, stage: str = "champion", workers: int = 1, timeout: float = 60.0
    ) -> list[ModelStatus]:
        """Statuses of an assignment, once that many workers have reported."""
        async with asyncio.timeout(timeout):
            while True:
                found = {
                    status.worker: status
                    for status in self.statuses
                    if (status.revision, status.state, status.stage) == (revision, state, stage)
                }
                if len(found) >= workers:
                    return list(found.values())
                for batch in (await self._consumer.getmany(timeout_ms=100)).values():
                    self.statuses += [ModelStatus.from_record(Record(m.key, m.value, tuple(m.headers))) for m in batch]

    def hide_store(self) -> None:
        """Makes the store unavailable."""
        shutil.move(self.folder / "store", self.folder / "away")

    def show_store(self) -> None:
        """Makes the store available again."""
        shutil.move(self.folder / "away", self.folder / "store")
