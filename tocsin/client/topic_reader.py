"""Reading topics without a consumer group, from the beginning or any other offset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from connections.denials import raising_denials
from connections.kafka import KafkaConnection
from connections.rights import denied
from processors.adapters.kafka.compacted_topic import NewestByKey
from processors.adapters.kafka.messages import read_to_end, record_of
from processors.adapters.kafka.side_consumer import side_consumer
from schemas.access import Right
from schemas.errors import BrokerUnavailable, ContractError, SettingsError
from schemas.event import Event
from schemas.topics import Topic
from tocsin.diagnostics import log_skipped_record

__all__ = ["consumer_of", "follow", "read_newest", "read_to_end", "record_of"]

E = TypeVar("E", bound=Event)

_CONNECT_S = 10.0


@asynccontextmanager
async def consumer_of(bootstrap: KafkaConnection, topics: Sequence[Topic]) -> AsyncIterator[AIOKafkaConsumer]:
    """A group-less consumer of all partitions, at their beginning.

    Raises:
        AccessDenied: Kafka refuses the client or denies it a topic, now or while it reads.
        BrokerUnavailable: no broker answers at the address within 10 s.
        SettingsError: a topic does not exist there.
    """
    bootstrap = KafkaConnection.of(bootstrap)
    consumer = side_consumer(bootstrap, *topics)
    try:
        try:
            async with raising_denials(bootstrap, "Read"), asyncio.timeout(_CONNECT_S):
                await consumer.start()
        except UnknownTopicOrPartitionError:
            # A topic that the client may not see seems to be absent.
            if denial := await denied(bootstrap, [Right("Read", "Topic", topic.name) for topic in topics]):
                raise denial from None
            names = ", ".join(topic.name for topic in topics)
            raise SettingsError(
                f"the broker at {bootstrap} lacks a topic of {names}: create them with"
                f" `tocsin topics --kafka {bootstrap}`"
            ) from None
        except (KafkaError, OSError, TimeoutError):
            raise BrokerUnavailable(
                f"no Kafka broker answers at {bootstrap}: is the address right? `tocsin up` starts one"
            ) from None
        async with raising_denials(bootstrap, "Read"):
            yield consumer
    finally:
        await consumer.stop()


async def follow(consumer: AIOKafkaConsumer) -> AsyncIterator[Any]:
    """Records as they arrive, without end."""
    while True:
        batches = await consumer.getmany(timeout_ms=250)
        for message in (message for batch in batches.values() for message in batch):
            yield message


async def read_newest(bootstrap: KafkaConnection, topic: Topic, event: type[E], what: str) -> dict[str, E]:
    """The newest event under each key of a compacted topic, in the order of the keys.

    Args:
        bootstrap: the connection to Kafka.
        topic: compacted.
        event: the class of its events.
        what: one of them is, for people; what breaks the contract is reported as "no ``what``" and ignored.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`consumer_of`.
    """
    newest = NewestByKey(event)
    async with consumer_of(bootstrap, [topic]) as consumer:
        async for message in read_to_end(consumer):
            try:
                newest.apply(message)
            except ContractError as error:
                log_skipped_record(message, what, error)
    return {key: newest.events[key] for key in sorted(newest.events)}
