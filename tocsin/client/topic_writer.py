"""Writing single records to topics, acknowledged by Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connections.denials import raising_denials
from connections.kafka import KafkaConnection, client_options
from connections.rights import denied
from producers.kafka.client import discard
from schemas.access import Right
from schemas.errors import AccessDenied, BrokerUnavailable
from schemas.record import Record
from schemas.topics import Topic

_TIMEOUT_S = 20.0


async def write_records(bootstrap: KafkaConnection, records: Iterable[tuple[Topic, Record]]) -> None:
    """Sends records and returns once all replicas have them.

    Raises:
        AccessDenied: Kafka refuses the client, or denies it the topic.
        BrokerUnavailable: Kafka does not acknowledge them within 20 s.
    """
    bootstrap, records = KafkaConnection.of(bootstrap), tuple(records)
    producer = AIOKafkaProducer(**client_options(bootstrap), enable_idempotence=True, acks="all")
    try:
        async with raising_denials(bootstrap, "Write"), asyncio.timeout(_TIMEOUT_S):
            await producer.start()
            for topic, record in records:
                await producer.send_and_wait(topic.name, record.value, key=record.key, headers=list(record.headers))
    except AccessDenied as denial:
        # An idempotent producer that may write nowhere is refused at its start, before it names a topic.
        wanted = sorted({topic.name for topic, _ in records})
        raise (await denied(bootstrap, [Right("Write", "Topic", name) for name in wanted]) or denial) from None
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(
            f"Kafka at {bootstrap} did not acknowledge the record ({str(error) or type(error).__name__}): send it again"
        ) from None
    finally:
        await discard(producer)
