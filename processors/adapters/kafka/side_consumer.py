"""Consumers without a group: they read a topic for themselves, whatever other processes read."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer

from connections.kafka import KafkaConnection, client_options
from processors.adapters.kafka.records import MAX_POLL_RECORDS, harden_consumers
from schemas.topics import Topic

READ_WAIT_MS = 10
"""``fetch_max_wait_ms`` of consumers that read a part and stop: the broker answers a connection's requests in turn, so
that a fetch which waits for records (500 ms unless said) holds up every question after it."""


def side_consumer(bootstrap: KafkaConnection, *topics: Topic, **options: Any) -> AIOKafkaConsumer:
    """A consumer of all partitions of topics, at their beginning and not yet started, which no record stops.

    Args:
        bootstrap: the connection to Kafka.
        topics: one or more.
        options: further ones of aiokafka.
    """
    harden_consumers()
    return AIOKafkaConsumer(
        *(topic.name for topic in topics),
        **client_options(bootstrap),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=MAX_POLL_RECORDS,
        **options,
    )
