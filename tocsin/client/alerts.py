"""All alerts that the topic holds, each with what people have said of it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from schemas.alert import Alert
from schemas.errors import ContractError, SettingsError
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.topics import ALERTS, FEEDBACK
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of
from tocsin.diagnostics import say_passed_over

_SHORTEST = 4
_SHOWN = 5


class AlertLog:
    """Alerts by id with their revisions, each once however often it was sent, and verdicts in the order they came."""

    def __init__(self) -> None:
        self._alerts: dict[str, dict[int, Alert]] = {}
        self._verdicts: dict[str, list[AlertFeedback]] = {}

    @classmethod
    async def read(cls, bootstrap: str) -> AlertLog:
        """All that stands on both topics now.

        Raises:
            BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
        """
        log = cls()
        async with consumer_of(bootstrap, [ALERTS, FEEDBACK]) as consumer:
            async for message in read_to_end(consumer):
                log.take(message)
        return log

    def take(self, message: Any) -> Alert | AlertFeedback | None:
        """Takes a message of either topic: what is new in it, or None. What is neither is named on standard error.

        What people say of a device as a whole stands on the feedback topic too, and is passed over.
        """
        record = record_of(message)
        try:
            if message.topic == FEEDBACK.name:
                if ("ce_type", DeviceFeedback.event_type.encode()) in record.headers:
                    return None
                return self.add_verdict(AlertFeedback.from_record(record))
            return self.add_alert(Alert.from_record(record))
        except ContractError as error:
            say_passed_over(message, "verdict" if message.topic == FEEDBACK.name else "alert", error)
            return None

    def add_alert(self, alert: Alert) -> Alert | None:
        """Takes a revision; None where it is known."""
        revisions = self._alerts.setdefault(alert.alert_id, {})
        if alert.revision in revisions:
            return None
        revisions[alert.revision] = alert
        return alert

    def add_verdict(self, verdict: AlertFeedback) -> AlertFeedback | None:
        """Takes a verdict, the newest so far; None where it was sent again."""
        given = self._verdicts.setdefault(verdict.alert_id, [])
        if verdict in given:
            return None
        given.append(verdict)
        return verdict

    def alerts(self) -> list[list[Alert]]:
        """The revisions of every alert, in their order."""
        return [self._revisions(name) for name in self._alerts]

    def kept_of(self, alerts: Sequence[Alert]) -> dict[str, int]:
        """How many alerts a device raised in a week, how many of them while it was learned, and how they were judged.

        Args:
            alerts: opening revisions, of :meth:`opened_since`.
        """
        said = [verdict.judgement for one in alerts if (verdict := self.verdict(one.alert_id)) is not None]
        return {
            "alerts_7d": len(alerts),
            "while_learning_7d": sum(one.threshold_state == "calibrating" for one in alerts),
            "judged_false_7d": said.count("false-alarm"),
            "judged_real_7d": said.count("real"),
        }

    def opened_since(self, since_ns: int) -> dict[str, list[Alert]]:
        """Opening revisions of the alerts opened since a capture time, by device."""
        found: dict[str, list[Alert]] = {}
        for revisions in self._alerts.values():
            first = revisions[min(revisions)]
            if first.opened_ns >= since_ns:
                found.setdefault(first.device_id, []).append(first)
        return found

    def verdicts(self, alert_id: str) -> list[AlertFeedback]:
        """All verdicts on an alert, the newest last."""
        return list(self._verdicts.get(alert_id, ()))

    def verdict(self, alert_id: str) -> AlertFeedback | None:
        """The verdict that holds: the newest."""
        given = self._verdicts.get(alert_id)
        return given[-1] if given else None

    def find(self, text: str) -> list[Alert]:
        """The revisions of the alert whose id is, or alone begins with, ``text``.

        Raises:
            SettingsError: none is, or more than one.
        """
        if text in self._alerts:
            return self._revisions(text)
        wanted = text.lower()
        found = [name for name in self._alerts if name.startswith(wanted)] if len(wanted) >= _SHORTEST else []
        if len(found) == 1:
            return self._revisions(found[0])
        if found:
            raise SettingsError(f"{len(found)} alerts begin with {text!r}: {self._shown(found)}; give more of the id")
        if not self._alerts:
            raise SettingsError(f"no alert {text!r}: the topic {ALERTS.name} holds no alert")
        if len(wanted) < _SHORTEST:
            raise SettingsError(f"{text!r} is too short for an alert's id: give at least {_SHORTEST} of its characters")
        near = difflib.get_close_matches(wanted, list(self._alerts), _SHOWN, cutoff=0.6)
        near = near or [name for name in self._alerts if name.startswith(wanted[:_SHORTEST])]
        newest = sorted(self._alerts, key=lambda name: -self._revisions(name)[0].opened_ns)
        which = f"near it: {self._shown(near)}" if near else f"the newest: {self._shown(newest)}"
        raise SettingsError(f"no alert {text!r}; {which}; `tocsin alerts` shows all")

    def _revisions(self, name: str) -> list[Alert]:
        found = self._alerts[name]
        return [found[number] for number in sorted(found)]

    def _shown(self, names: list[str]) -> str:
        shown = [f"{name} ({self._revisions(name)[0].device_id})" for name in names[:_SHOWN]]
        return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
