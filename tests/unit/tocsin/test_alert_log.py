"""Alerts and feedback from the topics."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from schemas.errors import SettingsError
from schemas.event import Event
from schemas.topics import ALERTS, FEEDBACK
from tests.unit.tocsin.alert_records import alert, complete_alert, feedback
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
        for one in complete_alert(device, 10.0, 20.0):
            log.add_alert(one)
    return log


def test_a_repeated_revision_counts_once() -> None:
    log = AlertLog()
    opened, closed = complete_alert("pump-1", 10.0, 20.0)

    assert log.add_message(message(closed, ALERTS.name)) == closed
    assert log.add_message(message(opened, ALERTS.name)) == opened
    assert log.add_message(message(closed, ALERTS.name)) is None
    assert log.alerts() == [[opened, closed]]


def test_the_feedback_sent_last_counts_whatever_its_clock() -> None:
    log = AlertLog()
    one = alert()
    first, second = feedback(one, "real", 50.0), feedback(one, "false-alarm", 3.0)

    assert log.add_message(message(first, FEEDBACK.name)) == first
    assert log.add_message(message(second, FEEDBACK.name)) == second
    assert log.add_message(message(first, FEEDBACK.name)) is None
    assert log.latest_feedback(one.alert_id) == second
    assert log.feedback_on(one.alert_id) == [first, second]
    assert log.latest_feedback("another") is None


def test_a_malformed_alert_is_reported_and_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    broken = message(alert(), ALERTS.name)
    broken.value = b"{}"

    assert AlertLog().add_message(broken) is None
    assert "partition 0, offset 7: not a valid alert" in capsys.readouterr().err


def test_an_alert_is_found_by_its_id_or_a_unique_prefix() -> None:
    log = log_of("pump-1", "pump-2")
    wanted = alert("pump-2", 10.0).alert_id

    for text in (wanted, wanted[:8], wanted[:8].upper()):
        assert [one.device_id for one in log.find(text)] == ["pump-2", "pump-2"]


def test_an_ambiguous_prefix_is_refused_with_all_its_alerts() -> None:
    log = log_of(*(f"pump-{number}" for number in range(400)))
    ids = [revisions[0].alert_id for revisions in log.alerts()]
    heads = [name[:4] for name in ids]
    twice = next(head for head in heads if heads.count(head) > 1)

    with pytest.raises(SettingsError, match="begin with") as refused:
        log.find(twice)
    assert all(name in str(refused.value) for name in ids if name.startswith(twice))


def test_an_unknown_id_is_refused_with_similar_ones() -> None:
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


def test_alerts_of_a_week_are_counted_by_feedback_and_calibration() -> None:
    log, calibrating = AlertLog(), {"threshold_state": "calibrating"}
    opened = [
        alert("pump-1", at_s).model_copy(update=calibrating if at_s < 25.0 else {}) for at_s in (0.0, 20.0, 30.0, 40.0)
    ]
    for one, judgement in zip(opened, ("false-alarm", "real", "false-alarm", None), strict=True):
        log.add_alert(one)
        if judgement is not None:
            log.add_feedback(feedback(one, judgement))
    log.add_feedback(feedback(opened[2], "real", 5.0))

    found = log.opened_since(0)["pump-1"]
    assert log.counts_of(found) == {
        "alerts": 4,
        "while_calibrating": 2,
        "judged_false": 1,
        "judged_real": 2,
    }
    assert set(log.counts_of([]).values()) == {0}
