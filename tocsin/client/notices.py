"""Notices of both kinds: on a detector's decisions, and on the health of sound and service."""

from __future__ import annotations

from typing import Any

from connections.kafka import KafkaConnection
from schemas.errors import ContractError, UnknownType
from schemas.health_notice import HealthNotice
from schemas.notice import Notice
from schemas.topics import NOTICES
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of
from tocsin.diagnostics import log_skipped_record


def read_notice(message: Any) -> Notice | HealthNotice:
    """The notice in a message of the notices topic.

    Raises:
        ContractError: it is none.
    """
    record = record_of(message)
    try:
        return Notice.from_record(record)
    except UnknownType:
        return HealthNotice.from_record(record)


async def read_health(bootstrap: KafkaConnection, since_ns: int) -> dict[str, dict[str, HealthNotice]]:
    """The last health notice of each subject and kind since a time, nanoseconds since 1970.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    found: dict[str, dict[str, HealthNotice]] = {}
    async with consumer_of(bootstrap, [NOTICES]) as consumer:
        async for message in read_to_end(consumer):
            try:
                notice = read_notice(message)
            except ContractError as error:
                log_skipped_record(message, "notice", error)
                continue
            if isinstance(notice, HealthNotice) and notice.at_ns >= since_ns:
                found.setdefault(notice.subject, {})[notice.kind] = notice
    return found
