"""Sends what does not belong on the topics, and the records of operators: everything that needs no device."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from benchmarks.faults.crafted_model import SPEC, craft_model
from benchmarks.faults.garbage import Broken, broken_record, lone_chunk, zeros
from benchmarks.faults.observer import AUDIO, read_topic
from connections.kafka import KafkaConnection
from processors.adapters.models.artefact_store import ArtefactStore
from schemas.artefact import Artefact
from schemas.assignment import Assignment
from schemas.event import Event
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.policy import Policy
from schemas.scope import Scope
from schemas.topics import ALERTS, FEEDBACK, MODELS, POLICIES, Topic

_MIB = 2**20
_ANSWER_S, _RETRY_S = 60.0, 1.0
_HOSTILE = b"\x08\x09" + b"\xff" * 4_000


class Intruder:
    """One client of its own.

    Args:
        kafka: the connection to Kafka.
        store: folder of published models.
        machines: devices to send settings and models to.
        rng: of the run.
    """

    def __init__(self, kafka: KafkaConnection, store: Path, machines: Sequence[str], rng: random.Random) -> None:
        self._kafka, self._rng, self._machines = kafka, rng, machines
        self._store = ArtefactStore(store)
        self._folder = store
        self._revision = 0
        self._made = 0
        self.broken = 0

    async def send_broken(self, count: int) -> None:
        """Broken records, some of them under the ids of devices that sound."""
        names = ["nobody", *self._machines]
        records = [broken_record(self._rng, self._rng.choice(names)) for _ in range(count)]
        self.broken += await self._send(AUDIO, records)

    async def send_zeros(self, mebibytes: int) -> None:
        """One record of zeros, which the producer compresses to a few KiB."""
        record = zeros(self._rng.choice(["nobody", *self._machines]), mebibytes * _MIB, self._rng)
        self.broken += await self._send(AUDIO, [record], compression="gzip")

    async def flood(self, count: int) -> None:
        """So many devices that nobody announced, one chunk of each."""
        names = [f"flood-{self._rng.randrange(10**9)}" for _ in range(count)]
        await self._send(AUDIO, [lone_chunk(name, self._rng) for name in names])

    async def assign(self, kind: str, target: int) -> None:
        """Assigns a model to a device, or to all machines.

        Args:
            kind: ``good``, ``not-finite``, ``hostile``, ``missing``, or ``withdrawn`` for none.
            target: number of the device; every fourth is all machines.
        """
        scope = Scope.of_kind("machine") if target % 4 == 0 else Scope.of_device(self._machine(target))
        champion = None if kind == "withdrawn" else await asyncio.to_thread(self._publish, kind)
        self._revision += 1
        assignment = Assignment(
            detector="machine", scope=scope, champion=champion, revision=self._revision, announced_ns=time.time_ns()
        )
        await self._tell(MODELS, assignment)

    async def set_policy(self, target: int) -> None:
        """Another false-alarm budget for a device."""
        policy = Policy(
            detector="any",
            scope=Scope.of_device(self._machine(target)),
            false_alarms_per_week=self._rng.choice((0.5, 1.0, 3.0, 7.0)),
            set_ns=time.time_ns(),
        )
        await self._tell(POLICIES, policy)

    async def give_feedback(self, target: int) -> None:
        """Judges an alert, or calls a device's sound normal."""
        alerts = await self._alerts()
        feedback: Event
        if alerts and target % 2:
            alert = alerts[target % len(alerts)]
            feedback = AlertFeedback(
                alert_id=alert["alert_id"],
                device_id=alert["device_id"],
                detector=alert["detector"],
                judgement=self._rng.choice(("real", "false-alarm")),
                given_ns=time.time_ns(),
            )
        else:
            feedback = DeviceFeedback(
                device_id=self._machine(target), detector="machine", action="normal", given_ns=time.time_ns()
            )
        await self._tell(FEEDBACK, feedback)

    async def _alerts(self) -> list[dict[str, Any]]:
        """All alerts so far; none while the broker is away."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                return [json.loads(message.value or b"{}") for message in await read_topic(self._kafka, ALERTS.name)]
        except (KafkaError, TimeoutError, OSError):
            return []

    def _machine(self, target: int) -> str:
        return self._machines[target % len(self._machines)]

    def _publish(self, kind: str) -> Artefact:
        self._made += 1
        version = f"{kind}-{self._made}"
        path = self._folder.parent / f"{version}.onnx"
        if kind == "hostile":
            path.write_bytes(_HOSTILE + version.encode())
        else:
            craft_model(path, version, self._rng.uniform(0.5, 2.0), finite=kind != "not-finite")
        url = self._store.put(path)
        sha256 = url.rpartition("/")[2].removesuffix(".onnx")
        if kind == "missing":
            (self._folder / f"{sha256}.onnx").unlink()
        return Artefact(
            detector="machine",
            model_id="crafted",
            version=version,
            sha256=sha256,
            size=path.stat().st_size,
            url=url,
            features_hash=SPEC.hash(),
            published_ns=time.time_ns(),
        )

    async def _tell(self, topic: Topic, event: Event) -> None:
        record = event.to_record()
        await self._send(topic.name, [(record.key, record.value, list(record.headers))])

    async def _send(self, topic: str, records: Iterable[Broken], compression: str | None = None) -> int:
        """Sends records, each in a request of its own where it is large; returns how many were acknowledged."""
        producer = None
        try:
            async with asyncio.timeout(_ANSWER_S):
                producer = await self._connect(compression)
                sent = []
                for key, value, headers in records:
                    one = await producer.send(topic, value, key=key, headers=headers)
                    sent.append(one)
                    if len(value or b"") > 100_000 or sum(len(text) for _, text in headers) > 50_000:
                        await producer.flush()
                answers = await asyncio.gather(*sent, return_exceptions=True)
                return sum(not isinstance(answer, BaseException) for answer in answers)
        except (KafkaError, TimeoutError, OSError):
            return 0  # the broker is away: another fault of this schedule
        finally:
            if producer is not None:
                await asyncio.gather(producer.stop(), return_exceptions=True)

    async def _connect(self, compression: str | None) -> AIOKafkaProducer:
        """A client, once the broker answers."""
        while True:
            producer = AIOKafkaProducer(
                **self._kafka.client_options(), max_request_size=64 * _MIB, compression_type=compression
            )
            try:
                await producer.start()
            except (KafkaError, OSError):
                await asyncio.gather(producer.stop(), return_exceptions=True)
                await asyncio.sleep(_RETRY_S)
            else:
                return producer
