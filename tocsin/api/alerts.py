"""Following alerts from a program."""

from __future__ import annotations

from collections.abc import AsyncIterator

from connections.kafka import KafkaConnection
from schemas.alert import Alert
from schemas.errors import ContractError
from schemas.topics import ALERTS
from tocsin.addresses import kafka_connection
from tocsin.client.topic_reader import consumer_of, follow, read_to_end, record_of
from tocsin.diagnostics import log_skipped_record
from tocsin.settings import load_settings


async def alerts(*, kafka: KafkaConnection | str | None = None, following: bool = True) -> AsyncIterator[Alert]:
    """Yields every alert revision on the alerts topic, oldest first, each once.

    A worker that restarts may send a revision twice; the second copy is left out. A record that is not an alert is
    named on standard error and skipped. The topic is read without a consumer group: several programs may follow it,
    and none of them moves another's position.

    Args:
        kafka: address, ``host:port``, or connection; None takes ``TOCSIN_KAFKA`` or the running local stack.
        following: whether to wait for new alerts at the topic's end; False stops there.

    Raises:
        SettingsError: no address is known, or the broker lacks the topic.
        BrokerUnavailable: no broker answers at the address within 10 s.
    """
    seen: set[tuple[str, int]] = set()
    async with consumer_of(kafka_connection(load_settings(), kafka), [ALERTS]) as consumer:
        async for message in follow(consumer) if following else read_to_end(consumer):
            try:
                alert = Alert.from_record(record_of(message))
            except ContractError as error:
                log_skipped_record(message, "alert", error)
                continue
            if (alert.alert_id, alert.revision) not in seen:
                seen.add((alert.alert_id, alert.revision))
                yield alert
