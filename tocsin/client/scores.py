"""Reading scores back from the topic."""

from __future__ import annotations

from collections.abc import Callable

from connections.kafka import KafkaConnection
from processors.adapters.kafka.feedback import feedback_of_message
from processors.adapters.kafka.score_history import scores_since
from processors.core.alerting.operator_feedback import OperatorFeedback
from schemas.errors import ContractError
from schemas.score import Score
from schemas.topics import FEEDBACK, SCORES
from tocsin.client.topic_reader import consumer_of, read_to_end
from tocsin.diagnostics import log_skipped_record


async def read_scores(
    bootstrap: KafkaConnection,
    since_ms: int,
    detector: str | None = None,
    device_id: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Score]:
    """Scores since a time, without duplicates.

    Args:
        bootstrap: the connection to Kafka.
        since_ms: milliseconds since 1970, by the broker's clock.
        detector, device_id: of these only; None for all.
        progress: called now and then with the number of records read.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    async with consumer_of(bootstrap, [SCORES]) as consumer:
        return [
            score
            async for score in scores_since(consumer, since_ms, lambda name: device_id in (None, name), progress)
            if detector in (None, score.detector)
        ]


async def read_feedback(bootstrap: KafkaConnection, device_id: str, detector: str) -> list[OperatorFeedback]:
    """The operators' feedback on a device's detector, oldest first. Malformed records are reported on standard error.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    found = []
    async with consumer_of(bootstrap, [FEEDBACK]) as consumer:
        async for message in read_to_end(consumer):
            try:
                about, item = feedback_of_message(message)
            except ContractError as error:
                log_skipped_record(message, "feedback", error)
                continue
            if about == (device_id, detector):
                found.append(item)
    return found
