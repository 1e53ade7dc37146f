"""Alerts and verdicts as the topics hold them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from schemas.errors import SettingsError
from schemas.event import Event
from schemas.topics import ALERTS, FEEDBACK
from tests.unit.tocsin.alert_records import alert, verdict, whole_alert
from tocsin.client.alerts import AlertLog


@dataclass
class Message:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int = 0
    offset: int = 7


def message(event: Event, topic: str) -> Message:
    record = event.to_record()
    return Message(topic, record.key, record.value, list(record.headers))


def log_of(*devices: str) -> AlertLog:
    log = AlertLog()
    for device in devices:
        for one in whole_alert(device, 10.0, 20.0):
            log.add_alert(one)
    return log


def test_a_revision_counts_once_however_often_it_was_sent() -> None:
    log = AlertLog()
    opened, closed = whole_alert("pump-1", 10.0, 20.0)

    assert log.take(message(closed, ALERTS.name)) == closed
    assert log.take(message(opened, ALERTS.name)) == opened
    assert log.take(message(closed, ALERTS.name)) is None
    assert log.alerts() == [[opened, closed]]


def test_the_verdict_that_came_last_holds_whatever_clock_its_giver_has() -> None:
    log = AlertLog()
    judged = alert()
    first, second = verdict(judged, "real", 50.0), verdict(judged, "false-alarm", 3.0)

    assert log.take(message(first, FEEDBACK.name)) == first
    assert log.take(message(second, FEEDBACK.name)) == second
    assert log.take(message(first, FEEDBACK.name)) is None
    assert log.verdict(judged.alert_id) == second
    assert log.verdicts(judged.alert_id) == [first, second]
    assert log.verdict("another") is None


def test_what_is_no_alert_is_named_and_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    broken = message(alert(), ALERTS.name)
    broken.value = b"{}"

    assert AlertLog().take(broken) is None
    assert "partition 0, offset 7: no alert" in capsys.readouterr().err


def test_an_alert_is_found_by_its_id_or_by_a_beginning_that_is_its_alone() -> None:
    log = log_of("pump-1", "pump-2")
    wanted = alert("pump-2", 10.0).alert_id

    for text in (wanted, wanted[:8], wanted[:8].upper()):
        assert [one.device_id for one in log.find(text)] == ["pump-2", "pump-2"]


def test_a_beginning_of_several_alerts_is_refused_with_all_of_them() -> None:
    log = log_of(*(f"pump-{number}" for number in range(400)))
    ids = [revisions[0].alert_id for revisions in log.alerts()]
    heads = [name[:4] for name in ids]
    twice = next(head for head in heads if heads.count(head) > 1)

    with pytest.raises(SettingsError, match="begin with") as refused:
        log.find(twice)
    assert all(name in str(refused.value) for name in ids if name.startswith(twice))


def test_an_unknown_id_is_answered_with_those_near_it() -> None:
    log = log_of("pump-1", "pump-2")
    wanted = alert("pump-1", 10.0).alert_id
    mistyped = wanted[:10] + ("0" if wanted[10] != "0" else "1") + wanted[11:]

    with pytest.raises(SettingsError, match=f"near it: {wanted} .pump-1."):
        log.find(mistyped)
    with pytest.raises(SettingsError, match="the newest: "):
        log.find("zzzz")
    with pytest.raises(SettingsError, match="too short"):
        log.find(wanted[:3])
    with pytest.raises(SettingsError, match="holds no alert"):
        AlertLog().find(wanted)


def test_alerts_of_a_week_are_counted_by_verdict_and_by_whether_the_device_was_learned() -> None:
    log, young = AlertLog(), {"threshold_state": "calibrating"}
    opened = [alert("pump-1", at_s).model_copy(update=young if at_s < 25.0 else {}) for at_s in (0.0, 20.0, 30.0, 40.0)]
    for one, judgement in zip(opened, ("false-alarm", "real", "false-alarm", None), strict=True):
        log.add_alert(one)
        if judgement is not None:
            log.add_verdict(verdict(one, judgement))
    log.add_verdict(verdict(opened[2], "real", 5.0))

    found = log.opened_since(0)["pump-1"]
    assert log.kept_of(found) == {
        "alerts_7d": 4,
        "while_learning_7d": 2,
        "judged_false_7d": 1,
        "judged_real_7d": 2,
    }
    assert set(log.kept_of([]).values()) == {0}
