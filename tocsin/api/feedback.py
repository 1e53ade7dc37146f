"""Operator feedback from a program."""

from __future__ import annotations

import time

from connections.kafka import KafkaConnection
from schemas.alert import Alert
from schemas.feedback import AlertFeedback, Judgement
from schemas.topics import FEEDBACK
from tocsin.addresses import kafka_connection
from tocsin.client.topic_writer import write_records
from tocsin.settings import load_settings


async def send_feedback(
    alert: Alert, judgement: Judgement, *, note: str = "", by: str = "", kafka: KafkaConnection | str | None = None
) -> AlertFeedback:
    """Says whether an alert was right; the device's threshold takes it into account.

    Args:
        alert: any revision of the alert.
        judgement: ``false-alarm``: it was normal sound; ``real``: it was not.
        note: for people, at most 2,000 characters.
        by: who says so, at most 200 characters.
        kafka: address, ``host:port``, or connection; None takes ``TOCSIN_KAFKA`` or the running local stack.

    Returns:
        The record as Kafka confirmed it.

    Raises:
        pydantic.ValidationError: a value is out of range.
        SettingsError: no address is known.
        BrokerUnavailable: Kafka does not confirm the record within 20 s.
    """
    feedback = AlertFeedback(
        alert_id=alert.alert_id,
        device_id=alert.device_id,
        detector=alert.detector,
        judgement=judgement,
        note=note,
        by=by,
        given_ns=time.time_ns(),
    )
    await write_records(kafka_connection(load_settings(), kafka), [(FEEDBACK, feedback.to_record())])
    return feedback
