"""Notices of both kinds: on a detector's decisions, and on the health of sound and service."""

from __future__ import annotations

from typing import Any

from schemas.errors import UnknownType
from schemas.health_notice import HealthNotice
from schemas.notice import Notice
from tocsin.client.topic_reader import record_of


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
