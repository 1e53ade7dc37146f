"""A fake of aiokafka's producer, with a broker that the test controls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import errors as kafka

from connections.kafka import KafkaConnection
from schemas.topics import TOPICS


@dataclass
class Broker:
    """State and behaviour of the broker.

    Attributes:
        up: whether clients can connect.
        acknowledges: whether it acknowledges records; otherwise they are pending.
        topics: existing topics.
        log: (topic, key, value) of the stored records.
        failures: errors for the next records, one each.
        clients: created so far.
    """

    up: bool = True
    acknowledges: bool = True
    topics: set[str] = field(default_factory=lambda: {topic.name for topic in TOPICS})
    log: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    clients: list[FakeClient] = field(default_factory=list)
    pending: list[tuple[asyncio.Future[Any], tuple[str, bytes, bytes]]] = field(default_factory=list)

    def make(self, _: KafkaConnection) -> FakeClient:
        client = FakeClient(self)
        self.clients.append(client)
        return client

    def recover(self) -> None:
        """Acknowledges all pending records, in order."""
        self.acknowledges = True
        for future, entry in self.pending:
            if not future.done():
                self.log.append(entry)
                future.set_result(None)
        self.pending.clear()


class FakeClient:
    """The part of aiokafka's producer that the publisher uses."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.client = self
        self.stopped = False

    async def start(self) -> None:
        if not self.broker.up:
            raise kafka.KafkaConnectionError("Unable to bootstrap")

    async def fetch_all_metadata(self) -> FakeClient:
        return self

    def topics(self) -> set[str]:
        return self.broker.topics

    async def stop(self) -> None:
        self.stopped = True

    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[Any]:
        assert headers
        await asyncio.sleep(0)
        future = asyncio.get_running_loop().create_future()
        entry = (topic, key, value)
        if self.broker.failures:
            future.set_exception(self.broker.failures.pop(0))
        elif self.broker.acknowledges:
            self.broker.log.append(entry)
            future.set_result(None)
        else:
            self.broker.pending.append((future, entry))
        return future
