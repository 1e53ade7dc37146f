"""JSON records: what is refused, and with which error."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from schemas.alert import Alert
from schemas.device import Device
from schemas.errors import (
    ContractError,
    EmptyValue,
    HeaderFlood,
    MalformedHeader,
    MalformedRecord,
    MissingHeader,
    OversizedValue,
    RepeatedHeader,
    UnknownEncoding,
    UnknownType,
    UnsupportedVersion,
    WrongKey,
)
from schemas.event import Event
from schemas.record import Record
from schemas.score import Score
from tests.unit.schemas.records import ALERT, DEVICE, SCORE, with_header, without_header

EVENTS: list[Event] = [DEVICE, SCORE, ALERT]
BOTH = pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)


def changed(event: Event, **fields: Any) -> Record:
    """The event's record with fields of its JSON replaced."""
    record = event.to_record()
    text = json.dumps(json.loads(record.value or b"") | fields)
    return replace(record, value=text.encode())


@BOTH
def test_round_trip(event: Event) -> None:
    assert type(event).from_record(event.to_record()) == event


def test_an_alert_is_read_under_both_of_its_keys() -> None:
    state = ALERT.to_state_record()
    assert state.key == b"fan-1/scream"
    assert Alert.from_record(state) == ALERT


def test_an_unknown_field_is_ignored() -> None:
    assert Device.from_record(changed(DEVICE, colour="red")) == DEVICE


@BOTH
@pytest.mark.parametrize("key", [None, b"", b"other", b"fan-1/other", b"k" * 100_000])
def test_a_record_under_another_key_is_refused(event: Event, key: bytes | None) -> None:
    with pytest.raises(WrongKey) as caught:
        type(event).from_record(replace(event.to_record(), key=key))
    assert len(str(caught.value)) < 500


@BOTH
@pytest.mark.parametrize("value", [None, b""])
def test_a_tombstone_is_refused(event: Event, value: bytes | None) -> None:
    with pytest.raises(EmptyValue):
        type(event).from_record(replace(event.to_record(), value=value))


@BOTH
def test_an_oversized_value_is_refused_before_it_is_parsed(event: Event) -> None:
    with pytest.raises(OversizedValue, match="65537 bytes"):
        type(event).from_record(replace(event.to_record(), value=b"[" * 65_537))


@BOTH
@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe{}",
        b"{}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"device_id": "\\ud800"}',
        b"1" * 50_000,
    ],
)
def test_what_is_not_the_types_json_is_refused(event: Event, value: bytes) -> None:
    with pytest.raises(MalformedRecord) as caught:
        type(event).from_record(replace(event.to_record(), value=value))
    assert len(str(caught.value)) < 1000
    str(caught.value).encode()


@BOTH
@pytest.mark.parametrize("name", ["ce_specversion", "ce_type", "ce_id", "ce_source", "content-type"])
def test_each_header_in_turn(event: Event, name: str) -> None:
    record = event.to_record()
    value = dict(record.headers)[name]
    for spoiled, error in (
        (without_header(record, name), MissingHeader),
        (with_header(record, name, b""), MissingHeader),
        (replace(record, headers=(*record.headers, (name, value))), RepeatedHeader),
        (with_header(record, name, b"\xff"), MalformedHeader),
        (with_header(record, name, b"x" * 1025), HeaderFlood),
        (with_header(record, name, None), HeaderFlood),
    ):
        with pytest.raises(error, match=name):
            type(event).from_record(spoiled)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("ce_specversion", b"2.0", UnsupportedVersion),
        ("ce_type", b"tocsin.device.v2", UnsupportedVersion),
        ("ce_type", b"tocsin.audio.v1", UnknownType),
        ("ce_type", b"nonsense", UnknownType),
        ("content-type", b"text/json", UnknownEncoding),
        ("content-type", b"application/jsonx", UnknownEncoding),
    ],
)
def test_a_wrong_header_has_its_error(name: str, value: bytes, error: type[ContractError]) -> None:
    with pytest.raises(ContractError) as caught:
        Device.from_record(with_header(DEVICE.to_record(), name, value))
    assert caught.type is error


def test_a_content_type_may_name_its_charset() -> None:
    record = with_header(DEVICE.to_record(), "content-type", b"application/json; charset=utf-8")
    assert Device.from_record(record) == DEVICE


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e400, "nan"])
@pytest.mark.parametrize(
    ("event", "field"),
    [(SCORE, "score"), (SCORE, "threshold"), (SCORE, "level_dbfs"), (ALERT, "peak_score"), (DEVICE, "full_scale")],
)
def test_numbers_are_finite(event: Event, field: str, number: object) -> None:
    with pytest.raises(MalformedRecord, match=field):
        type(event).from_record(changed(event, **{field: number}))


@pytest.mark.parametrize(
    "fields",
    [
        {"device_id": ""},
        {"device_id": "a b"},
        {"device_id": "fan-1\n"},
        {"device_id": "-fan"},
        {"device_id": "f" * 101},
        {"device_id": "f\N{LATIN SMALL LETTER E WITH ACUTE}"},
        {"kind": "robot"},
        {"sample_rate": 999},
        {"sample_rate": 192_001},
        {"sample_rate": 16_000.5},
        {"full_scale": 0},
        {"full_scale": -1},
        {"detectors": [f"a{n}" for n in range(17)]},
        {"detectors": []},
        {"detectors": ["a", "a"]},
        {"detectors": ["a/b"]},
        {"description": "x" * 501},
        {"announced_ns": -1},
        {"announced_ns": 10**30},
    ],
)
def test_a_manifest_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecord, match=next(iter(fields))):
        Device.from_record(changed(DEVICE, **fields))


@pytest.mark.parametrize("event", [SCORE, ALERT])
@pytest.mark.parametrize("captured_ns", [-1, 253_402_300_800 * 10**9])
def test_what_is_read_can_be_written_again(event: Score | Alert, captured_ns: int) -> None:
    with pytest.raises(MalformedRecord, match="captured_ns"):
        type(event).from_record(changed(event, captured_ns=captured_ns))
