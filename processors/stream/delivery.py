"""One record of the audio topic, and the messages that come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from processors.core.alerting.detector_state import Output
from processors.stream.unfinished import Acknowledge
from schemas.deadletter import dead_letter
from schemas.errors import ContractError
from schemas.record import Record
from schemas.topics import ALERT_STATE, ALERTS, AUDIO, DEADLETTER, NOTICES, Topic

_log = structlog.get_logger(__name__)

Send = Callable[[Sequence[tuple[Topic, Record]]], Awaitable[None]]
"""Sends records and returns once Kafka has confirmed them all."""

SendScores = Callable[[Sequence[tuple[int, Record]]], Awaitable[Mapping[int, int]]]
"""Sends scores, each with its partition of the audio topic, to the log; returns, once Kafka has confirmed them all, the
offset after the last of each partition."""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """One record of the audio topic.

    Attributes:
        partition, offset: its position.
        timestamp_ms: the broker's time, milliseconds since 1970.
        record: key, value, headers.
        acknowledge: marks it as handled; called in offset order within the partition.
        taken_s: when the worker took it from Kafka, seconds of the pipeline's clock.
    """

    partition: int
    offset: int
    timestamp_ms: int
    record: Record
    acknowledge: Acknowledge
    taken_s: float = 0.0


def messages_of(output: Output) -> list[tuple[Topic, Record]]:
    """What a window caused beside its score."""
    messages = [(NOTICES, notice.to_record()) for notice in output.notices]
    if output.alert is not None:
        messages += [(ALERTS, output.alert.to_record()), (ALERT_STATE, output.alert.to_state_record())]
    return messages


def dead_letter_of(delivery: Delivery, error: Exception) -> tuple[Topic, Record]:
    """The dead letter of a record, logged."""
    log = _log.warning if isinstance(error, ContractError) else _log.exception
    log(
        "dead letter",
        error=type(error).__name__,
        message=str(error),
        partition=delivery.partition,
        offset=delivery.offset,
    )
    return letter_of(delivery, error)


def letter_of(delivery: Delivery, error: Exception) -> tuple[Topic, Record]:
    """The dead letter of a record."""
    return DEADLETTER, dead_letter(
        delivery.record, error, topic=AUDIO.name, partition=delivery.partition, offset=delivery.offset
    )
