"""Reading topics without a consumer group, from the beginning or any other offset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from processors.adapters.kafka.records import read_any_header_name
from schemas.errors import BrokerUnavailable, SettingsError
from schemas.record import Record
from schemas.topics import Topic

_CONNECT_S = 10.0


@asynccontextmanager
async def consumer_of(bootstrap: str, topics: Sequence[Topic]) -> AsyncIterator[AIOKafkaConsumer]:
    """A group-less consumer of all partitions, at their beginning.

    Raises:
        BrokerUnavailable: no broker answers at the address within 10 s.
        SettingsError: a topic does not exist there.
    """
    read_any_header_name()
    consumer = AIOKafkaConsumer(
        *(topic.name for topic in topics),
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        try:
            async with asyncio.timeout(_CONNECT_S):
                await consumer.start()
        except UnknownTopicOrPartitionError:
            names = ", ".join(topic.name for topic in topics)
            raise SettingsError(
                f"the broker at {bootstrap} lacks a topic of {names}: create them with"
                f" `tocsin topics --kafka {bootstrap}`"
            ) from None
        except (KafkaError, OSError, TimeoutError):
            raise BrokerUnavailable(
                f"no Kafka broker answers at {bootstrap}: is the address right? `tocsin up` starts one"
            ) from None
        yield consumer
    finally:
        await consumer.stop()


async def follow(consumer: AIOKafkaConsumer) -> AsyncIterator[Any]:
    """Records as they arrive, without end."""
    while True:
        batches = await consumer.getmany(timeout_ms=250)
        for message in (message for batch in batches.values() for message in batch):
            yield message


async def read_to_end(consumer: AIOKafkaConsumer) -> AsyncIterator[Any]:
    """Records up to the present end of the consumer's partitions."""
    partitions = list(consumer.assignment())
    ends = await consumer.end_offsets(partitions)
    while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
        batches = await consumer.getmany(timeout_ms=250)
        for tp, batch in batches.items():
            for message in batch:
                if message.offset < ends[tp]:
                    yield message


def record_of(message: Any) -> Record:
    """A consumed message as a record."""
    return Record(message.key, message.value, tuple(message.headers))
