"""The feedback topic, followed by every worker for itself: what operators report of each device and its alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processors.adapters.kafka.messages import record_of
from processors.adapters.kafka.topic_follower import TopicFollower
from processors.core.alerting.decision_step import OperatorFeedback
from schemas.errors import UnknownType
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.topics import FEEDBACK

_MAX_PER_DETECTOR = 64


class FeedbackFollower(TopicFollower):
    """Operator feedback by device and detector, oldest first.

    Args:
        bootstrap: Kafka's address.
    """

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap, FEEDBACK, self._append)
        self._feedback: dict[tuple[str, str], tuple[OperatorFeedback, ...]] = {}

    def of(self, device_id: str, detector: str) -> Sequence[OperatorFeedback]:
        """The feedback on a device's detector, oldest first; the latest 64."""
        return self._feedback.get((device_id, detector), ())

    def _append(self, message: Any) -> None:
        record = record_of(message)
        try:
            event: AlertFeedback | DeviceFeedback = AlertFeedback.from_record(record)
        except UnknownType:
            event = DeviceFeedback.from_record(record)
        key = (event.device_id, event.detector)
        self._feedback[key] = (*self.of(*key), _operator_feedback(message.offset, event))[-_MAX_PER_DETECTOR:]


def _operator_feedback(offset: int, event: AlertFeedback | DeviceFeedback) -> OperatorFeedback:
    if isinstance(event, AlertFeedback):
        return OperatorFeedback(offset, event.judgement, event.alert_id)
    return OperatorFeedback(offset, event.action)
