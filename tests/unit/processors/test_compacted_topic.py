"""Compacted topics and feedback: what remains of the messages applied."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from processors.adapters.kafka.compacted_topic import NewestByKey
from processors.adapters.kafka.feedback import FeedbackFollower
from processors.adapters.kafka.policies import Policies
from processors.core.alerting.operator_feedback import OperatorFeedback
from schemas.device import Device
from schemas.errors import ContractError
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.policy import Policy
from schemas.record import Record


def message(record: Record, offset: int = 0) -> SimpleNamespace:
    return SimpleNamespace(key=record.key, value=record.value, headers=list(record.headers), offset=offset)


def tombstone(key: str) -> SimpleNamespace:
    return message(Record(key.encode(), None, ()))


def test_the_newest_event_under_a_key_remains_until_its_tombstone() -> None:
    newest = NewestByKey(Device)
    for kind, name in (("machine", "a"), ("room", "a"), ("machine", "b")):
        newest.apply(message(Device(device_id=name, kind=kind).to_record()))
    newest.apply(tombstone("b"))
    newest.apply(tombstone("never-there"))

    assert {key: device.kind for key, device in newest.events.items()} == {"a": "room"}


def test_a_record_that_breaks_the_contract_changes_nothing() -> None:
    newest = NewestByKey(Device)
    newest.apply(message(Device(device_id="a", kind="machine").to_record()))

    with pytest.raises(ContractError):
        newest.apply(SimpleNamespace(key=b"\xff", value=b"{}", headers=[]))

    assert list(newest.events) == ["a"]


def test_the_narrowest_policy_applies() -> None:
    policies = Policies("nowhere:1")
    for scope, rate in (("all", 1.0), ("device:a", 3.0)):
        policy = Policy(detector="machine", scope=scope, false_alarms_per_week=rate, set_ns=0)
        policies._apply(message(policy.to_record()))

    found = {name: policies.policy(name, "machine", "machine") for name in ("a", "b")}
    assert {name: policy and policy.false_alarms_per_week for name, policy in found.items()} == {"a": 3.0, "b": 1.0}
    assert policies.policy("a", "room", "scream") is None


def test_the_latest_1000_of_both_kinds_of_feedback_remain_in_order() -> None:
    follower = FeedbackFollower("nowhere:1")
    of = {"device_id": "a", "detector": "machine", "given_ns": 0}
    judged = AlertFeedback(alert_id="x", judgement="real", **of).to_record()
    normal = DeviceFeedback(action="normal", **of).to_record()
    for offset in range(1_006):
        follower._apply(message(normal if offset % 2 else judged, offset))

    found = follower.of("a", "machine")
    assert found[:2] == (OperatorFeedback(6, "real", "x"), OperatorFeedback(7, "normal"))
    assert [one.offset for one in found] == list(range(6, 1_006))
    assert follower.of("a", "scream") == ()
