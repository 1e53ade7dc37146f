"""Ambiguous sound is left out, and operators' feedback labels it."""

from __future__ import annotations

import pytest

from schemas.alert import Alert
from schemas.feedback import Judgement
from tests.unit.capture.clips import clip
from tests.unit.tocsin.alert_records import SECOND_NS, alert, complete_alert, feedback
from tocsin.capture.clip import LabelledClip
from tocsin.capture.labels import alert_intervals_of, label
from tocsin.client.alerts import AlertLog

GUARD_NS = 5 * SECOND_NS


def log_of(*alerts: list[Alert], judgements: tuple[Judgement | None, ...] = ()) -> AlertLog:
    log = AlertLog()
    for revisions in alerts:
        for one in revisions:
            log.add_alert(one)
    for revisions, judgement in zip(alerts, judgements, strict=False):
        if judgement is not None:
            log.add_feedback(feedback(revisions[0], judgement))
    return log


def labels(log: AlertLog, seconds: range, device: str = "pump-1") -> dict[int, LabelledClip | None]:
    intervals = alert_intervals_of(log)
    return {at: label(clip(device, at), intervals.get(device, ()), GUARD_NS) for at in seconds}


def where(found: dict[int, LabelledClip | None], wanted: str | None) -> list[int]:
    return [at for at, one in found.items() if (None if one is None else one.label) == wanted]


def test_sound_during_and_near_an_alert_without_feedback_is_left_out() -> None:
    found = labels(log_of(complete_alert("pump-1", 20.0, 30.0)), range(50))

    assert where(found, None) == list(range(15, 36))
    assert where(found, "abnormal") == []


def test_another_devices_alert_has_no_effect() -> None:
    found = labels(log_of(complete_alert("pump-2", 20.0, 30.0)), range(50))

    assert where(found, "normal") == list(range(50))


def test_sound_during_a_real_alert_is_abnormal_and_sound_near_it_is_left_out() -> None:
    revisions = complete_alert("pump-1", 20.0, 30.0)
    found = labels(log_of(revisions, judgements=("real",)), range(50))

    assert where(found, "abnormal") == list(range(20, 31))
    assert where(found, None) == [*range(15, 20), *range(31, 36)]
    assert found[25] is not None
    assert found[25].alerts == (revisions[0].alert_id,)


def test_sound_during_a_false_alarm_is_a_hard_negative() -> None:
    revisions = complete_alert("pump-1", 20.0, 30.0)
    found = labels(log_of(revisions, judgements=("false-alarm",)), range(50))

    assert where(found, "normal") == list(range(50))
    assert [at for at, one in found.items() if one is not None and one.hard_negative] == list(range(20, 31))
    assert found[25] is not None
    assert found[25].alerts == (revisions[0].alert_id,)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("false-alarm", None, None),
        ("false-alarm", "real", "abnormal"),
        ("false-alarm", "false-alarm", "normal"),
        (None, "real", "abnormal"),
        ("real", None, "abnormal"),
    ],
)
def test_of_overlapping_alerts_a_real_one_wins_and_a_false_alarm_loses(
    one: Judgement | None, other: Judgement | None, expected: str | None
) -> None:
    first, second = complete_alert("pump-1", 20.0, 30.0), complete_alert("pump-1", 25.0, 27.0)

    found = labels(log_of(first, second, judgements=(one, other)), range(50))

    assert {None if clip is None else clip.label for at, clip in found.items() if 25 <= at <= 27} == {expected}


def test_an_alert_that_is_still_open_has_no_end() -> None:
    found = labels(log_of([alert(at_s=20.0)]), range(50))

    assert where(found, None) == list(range(15, 50))


def test_an_alert_whose_end_was_lost_ends_where_the_next_one_opened() -> None:
    found = labels(log_of([alert(at_s=20.0)], complete_alert("pump-1", 30.0, 31.0)), range(50))

    assert where(found, "normal") == [*range(15), *range(37, 50)]


def test_the_latest_feedback_counts() -> None:
    revisions = complete_alert("pump-1", 20.0, 30.0)
    log = log_of(revisions, judgements=("false-alarm",))
    log.add_feedback(feedback(revisions[0], "real", 1.0))

    assert where(labels(log, range(50)), "abnormal") == list(range(20, 31))
