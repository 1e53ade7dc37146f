"""The feedback topic, followed by every worker for itself: what operators report of each device and its alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connections.kafka import KafkaConnection
from processors.adapters.kafka.messages import record_of
from processors.adapters.kafka.topic_follower import TopicFollower
from processors.core.alerting.operator_feedback import OperatorFeedback
from schemas.errors import UnknownType
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.topics import FEEDBACK

# More than operators give on one detector in the week that lost states are rebuilt from.
_MAX_PER_DETECTOR = 1_000


class FeedbackFollower(TopicFollower):
    """Operator feedback by device and detector, oldest first.

    Args:
        bootstrap: the connection to Kafka.
    """

    def __init__(self, bootstrap: KafkaConnection) -> None:
        super().__init__(bootstrap, FEEDBACK, self._append)
        self._feedback: dict[tuple[str, str], tuple[OperatorFeedback, ...]] = {}

    def of(self, device_id: str, detector: str) -> Sequence[OperatorFeedback]:
        """The feedback on a device's detector, oldest first; the latest 1,000."""
        return self._feedback.get((device_id, detector), ())

    def _append(self, message: Any) -> None:
        key, feedback = feedback_of_message(message)
        self._feedback[key] = (*self.of(*key), feedback)[-_MAX_PER_DETECTOR:]


def feedback_of_message(message: Any) -> tuple[tuple[str, str], OperatorFeedback]:
    """A record of the feedback topic as device and detector, and the feedback on them.

    Raises:
        ContractError: it is not feedback.
    """
    record = record_of(message)
    try:
        event: AlertFeedback | DeviceFeedback = AlertFeedback.from_record(record)
    except UnknownType:
        event = DeviceFeedback.from_record(record)
    key = (event.device_id, event.detector)
    if isinstance(event, AlertFeedback):
        return key, OperatorFeedback(message.offset, event.judgement, event.alert_id)
    return key, OperatorFeedback(message.offset, event.action)
