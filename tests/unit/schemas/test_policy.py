"""Policies: valid records, and which one applies."""

from __future__ import annotations

import json

import pytest

from schemas.errors import MalformedRecord
from schemas.policy import Policy, keys_for
from schemas.record import Record

POLICY = Policy(detector="scream", scope="device:hall-1", false_alarms_per_week=2.0, set_ns=1)


def test_a_policy_comes_back() -> None:
    assert Policy.from_record(POLICY.to_record()) == POLICY


@pytest.mark.parametrize(
    ("field", "value"),
    [("false_alarms_per_week", 0), ("false_alarms_per_week", "many"), ("scope", "device"), ("scope", "fleet:a")],
)
def test_an_invalid_policy_is_refused(field: str, value: object) -> None:
    record = POLICY.to_record()
    body = json.loads(record.value or b"") | {field: value}

    with pytest.raises(MalformedRecord, match=field):
        Policy.from_record(Record(record.key, json.dumps(body).encode(), record.headers))


def test_the_narrowest_scope_comes_first_and_within_it_the_detector() -> None:
    assert keys_for("pump-1", "machine", "scream") == (
        "scream/device:pump-1", "any/device:pump-1", "scream/kind:machine", "any/kind:machine", "scream/all", "any/all",
    )  # fmt: skip


def test_regimes_follow_the_hour_or_what_the_producer_reports() -> None:
    reported = POLICY.model_copy(update={"use_reported_regime": True})
    assert Policy.from_record(reported.to_record()) == reported
    both = reported.model_copy(update={"regime_hours": (6, 18)})
    with pytest.raises(MalformedRecord, match=r"follow the hours .* or what the producer reports"):
        Policy.from_record(both.to_record())
