"""A client that stands in for aiokafka's, with a broker the test commands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import errors as kafka

from producers.kafka.connection import Connection
from schemas.topics import TOPICS


@dataclass
class Broker:
    """What the broker does, and what it has.

    Attributes:
        up: whether clients can connect.
        acknowledges: whether it answers what is sent; what it does not answer waits.
        topics: what it has.
        log: (topic, key, value) of what it has taken.
        failures: errors it answers next, one a record.
        clients: made so far.
    """

    up: bool = True
    acknowledges: bool = True
    topics: set[str] = field(default_factory=lambda: {topic.name for topic in TOPICS})
    log: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    clients: list[FakeClient] = field(default_factory=list)
    waiting: list[tuple[asyncio.Future[Any], tuple[str, bytes, bytes]]] = field(default_factory=list)

    def make(self, _: Connection) -> FakeClient:
        client = FakeClient(self)
        self.clients.append(client)
        return client

    def recover(self) -> None:
        """Answers everything that waits, in order."""
        self.acknowledges = True
        for future, entry in self.waiting:
            if not future.done():
                self.log.append(entry)
                future.set_result(None)
        self.waiting.clear()


class FakeClient:
    """As much of aiokafka's producer as the publisher uses."""

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
            self.broker.waiting.append((future, entry))
        return future
