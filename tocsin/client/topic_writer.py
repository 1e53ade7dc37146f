"""Writing single records to topics, acknowledged by Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from producers.kafka.client import discard
from schemas.errors import BrokerUnavailable
from schemas.record import Record
from schemas.topics import Topic

_TIMEOUT_S = 20.0


async def write_records(bootstrap: str, records: Iterable[tuple[Topic, Record]]) -> None:
    """Sends records and returns once all replicas have them.

    Raises:
        BrokerUnavailable: Kafka does not acknowledge them within 20 s.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await producer.start()
            for topic, record in records:
                await producer.send_and_wait(topic.name, record.value, key=record.key, headers=list(record.headers))
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(
            f"Kafka at {bootstrap} did not acknowledge the record ({str(error) or type(error).__name__}): send it again"
        ) from None
    finally:
        await discard(producer)
