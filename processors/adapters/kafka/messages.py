"""Consumed messages: as records, and up to the end of a topic."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer

from schemas.record import Record

_POLL_MS = 250


def record_of(message: Any) -> Record:
    """A consumed message as a record."""
    return Record(message.key, message.value, tuple(message.headers or ()))


def key_of(message: Any) -> str:
    """A consumed message's key as text, whatever bytes it holds."""
    return (message.key or b"").decode(errors="replace")


async def read_to_end(consumer: AIOKafkaConsumer) -> AsyncIterator[Any]:
    """The messages from the consumer's positions to the present end of its partitions.

    Raises:
        aiokafka.errors.KafkaError: Kafka does not answer.
    """
    partitions = list(consumer.assignment())
    ends = await consumer.end_offsets(partitions)
    while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
        for tp, batch in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
            for message in batch:
                if message.offset < ends[tp]:
                    yield message
