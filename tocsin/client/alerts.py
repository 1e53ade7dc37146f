"""All alerts on the topic, each with its feedback."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from connections.kafka import KafkaConnection
from schemas.alert import Alert
from schemas.errors import ContractError, SettingsError
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.topics import ALERTS, FEEDBACK
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of
from tocsin.diagnostics import log_skipped_record

_MIN_PREFIX = 4
_MAX_LISTED = 5


class AlertLog:
    """Alerts by id with their revisions, without duplicates, and the feedback on them in the order it was sent."""

    def __init__(self) -> None:
        self._alerts: dict[str, dict[int, Alert]] = {}
        self._feedback: dict[str, list[AlertFeedback]] = {}

    @classmethod
    async def read(cls, bootstrap: KafkaConnection) -> AlertLog:
        """The present content of the alerts and feedback topics.

        Raises:
            BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
        """
        log = cls()
        async with consumer_of(bootstrap, [ALERTS, FEEDBACK]) as consumer:
            async for message in read_to_end(consumer):
                log.add_message(message)
        return log

    def add_message(self, message: Any) -> Alert | AlertFeedback | None:
        """Adds a message of either topic. Returns the new alert or feedback, or None for a duplicate.

        A malformed record is reported on standard error and skipped; feedback on a device as a whole is ignored.
        """
        record = record_of(message)
        try:
            if message.topic == FEEDBACK.name:
                if ("ce_type", DeviceFeedback.event_type.encode()) in record.headers:
                    return None
                return self.add_feedback(AlertFeedback.from_record(record))
            return self.add_alert(Alert.from_record(record))
        except ContractError as error:
            log_skipped_record(message, "alert feedback" if message.topic == FEEDBACK.name else "alert", error)
            return None

    def add_alert(self, alert: Alert) -> Alert | None:
        """Adds a revision; None if it is known."""
        revisions = self._alerts.setdefault(alert.alert_id, {})
        if alert.revision in revisions:
            return None
        revisions[alert.revision] = alert
        return alert

    def add_feedback(self, feedback: AlertFeedback) -> AlertFeedback | None:
        """Adds feedback, the latest so far; None if it is known."""
        given = self._feedback.setdefault(feedback.alert_id, [])
        if feedback in given:
            return None
        given.append(feedback)
        return feedback

    def alerts(self) -> list[list[Alert]]:
        """The revisions of every alert, in order."""
        return [self._revisions(name) for name in self._alerts]

    def counts_of(self, alerts: Sequence[Alert]) -> dict[str, int]:
        """Counts of a device's alerts: all, those raised while it calibrated, and those with feedback.

        Args:
            alerts: opening revisions, from :meth:`opened_since`.
        """
        judgements = [given.judgement for one in alerts if (given := self.latest_feedback(one.alert_id)) is not None]
        return {
            "alerts": len(alerts),
            "while_calibrating": sum(one.threshold_state == "calibrating" for one in alerts),
            "judged_false": judgements.count("false-alarm"),
            "judged_real": judgements.count("real"),
        }

    def opened_since(self, since_ns: int) -> dict[str, list[Alert]]:
        """Opening revisions of the alerts opened since a capture time, by device."""
        found: dict[str, list[Alert]] = {}
        for revisions in self._alerts.values():
            first = revisions[min(revisions)]
            if first.opened_ns >= since_ns:
                found.setdefault(first.device_id, []).append(first)
        return found

    def feedback_on(self, alert_id: str) -> list[AlertFeedback]:
        """All feedback on an alert, the latest last."""
        return list(self._feedback.get(alert_id, ()))

    def latest_feedback(self, alert_id: str) -> AlertFeedback | None:
        """The latest feedback on an alert, which counts; None if there is none."""
        given = self._feedback.get(alert_id)
        return given[-1] if given else None

    def find(self, text: str) -> list[Alert]:
        """The revisions of the alert with the id ``text``, or with this unique prefix.

        Raises:
            SettingsError: no alert, or more than one, has it.
        """
        if text in self._alerts:
            return self._revisions(text)
        wanted = text.lower()
        found = [name for name in self._alerts if name.startswith(wanted)] if len(wanted) >= _MIN_PREFIX else []
        if len(found) == 1:
            return self._revisions(found[0])
        if found:
            raise SettingsError(f"{len(found)} alerts begin with {text!r}: {self._listed(found)}; give more of the id")
        if not self._alerts:
            raise SettingsError(f"no alert {text!r}: the topic {ALERTS.name} holds no alert")
        if len(wanted) < _MIN_PREFIX:
            raise SettingsError(
                f"{text!r} is too short for an alert's id: give at least its first {_MIN_PREFIX} characters"
            )
        near = difflib.get_close_matches(wanted, list(self._alerts), _MAX_LISTED, cutoff=0.6)
        near = near or [name for name in self._alerts if name.startswith(wanted[:_MIN_PREFIX])]
        newest = sorted(self._alerts, key=lambda name: -self._revisions(name)[0].opened_ns)
        which = f"near it: {self._listed(near)}" if near else f"the newest: {self._listed(newest)}"
        raise SettingsError(f"no alert {text!r}; {which}; `tocsin alerts` lists all")

    def _revisions(self, name: str) -> list[Alert]:
        found = self._alerts[name]
        return [found[number] for number in sorted(found)]

    def _listed(self, names: list[str]) -> str:
        listed = [f"{name} ({self._revisions(name)[0].device_id})" for name in names[:_MAX_LISTED]]
        return ", ".join(listed) + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")
