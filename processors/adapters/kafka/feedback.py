"""The feedback topic, followed by every worker for itself: what people have said of each device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processors.adapters.kafka.topic_follower import TopicFollower
from processors.core.alerting.operator_feedback import OperatorFeedback
from schemas.errors import UnknownType
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.record import Record
from schemas.topics import FEEDBACK

_REMEMBERED = 64


class FeedbackFollower:
    """What was said, by device and detector, the newest last.

    Args:
        bootstrap: Kafka's address.
    """

    def __init__(self, bootstrap: str) -> None:
        self._said: dict[tuple[str, str], tuple[OperatorFeedback, ...]] = {}
        self._follower = TopicFollower(bootstrap, FEEDBACK, self._take)

    async def start(self) -> None:
        """Reads the topic to its end, then follows it."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stops following."""
        await self._follower.stop()

    def of(self, device_id: str, detector: str) -> Sequence[OperatorFeedback]:
        """What was said of a device's detector, oldest first; the latest 64."""
        return self._said.get((device_id, detector), ())

    def _take(self, message: Any) -> None:
        record = Record(message.key, message.value, tuple(message.headers))
        try:
            verdict = AlertFeedback.from_record(record)
        except UnknownType:
            acceptance = DeviceFeedback.from_record(record)
            self._add(acceptance.device_id, acceptance.detector, OperatorFeedback(message.offset, acceptance.action))
        else:
            self._add(
                verdict.device_id,
                verdict.detector,
                OperatorFeedback(message.offset, verdict.judgement, verdict.alert_id),
            )

    def _add(self, device_id: str, detector: str, one: OperatorFeedback) -> None:
        key = (device_id, detector)
        self._said[key] = (*self._said.get(key, ()), one)[-_REMEMBERED:]
