"""The contract under anything: what is written can be read, and what cannot be read has a name."""

from __future__ import annotations

import string
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert, AudioSpan, Band
from schemas.chunk import (
    MAX_CAPTURED_NS,
    MAX_CHANNELS,
    MAX_SAMPLE,
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    Chunk,
    decode_chunk,
    encode_chunk,
)
from schemas.cloudevents import MAX_NS, format_time, parse_time
from schemas.deadletter import dead_letter, original
from schemas.device import Device
from schemas.errors import ContractError, MalformedHeader, MalformedRecord
from schemas.event import Event
from schemas.record import Record
from schemas.score import ModelRef, Score
from tests.unit.schemas.records import ALERT, CHUNK_RECORD, DEVICE, SCORE

ALPHANUMERIC = string.ascii_letters + string.digits
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.integers(0, MAX_NS)
COUNTS = st.integers(0, 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
REGIMES = st.just("") | st.builds(
    str.__add__, st.sampled_from(ALPHANUMERIC), st.text(ALPHANUMERIC + "._-", max_size=31)
)
NAMES = st.builds(str.__add__, st.sampled_from(ALPHANUMERIC), st.text(ALPHANUMERIC + "._-", max_size=99))
MODELS = st.builds(ModelRef, name=TEXT, version=TEXT, sha256=TEXT)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    rate = draw(st.integers(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE))
    channels = draw(st.integers(1, MAX_CHANNELS))
    frames = draw(st.integers(1, 200))
    return Chunk(
        device_id=draw(NAMES),
        session_id=draw(NAMES),
        sequence=draw(COUNTS),
        first_sample=draw(st.integers(0, MAX_SAMPLE - frames)),
        sample_rate=rate,
        channels=channels,
        captured_ns=draw(st.integers(0, MAX_CAPTURED_NS)),
        pcm=draw(st.binary(min_size=2 * channels * frames, max_size=2 * channels * frames)),
        regime=draw(REGIMES),
    )


DEVICES = st.builds(
    Device,
    device_id=NAMES,
    kind=st.sampled_from(["machine", "room"]),
    detectors=st.none() | st.lists(NAMES, min_size=1, max_size=16, unique=True).map(tuple),
    sample_rate=st.none() | st.integers(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
    unit=st.text(st.characters(codec="utf-8"), max_size=32),
    full_scale=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    description=TEXT,
    announced_ns=TIMES,
)
SCORES = st.builds(
    Score,
    device_id=NAMES,
    detector=NAMES,
    session_id=NAMES,
    first_sample=COUNTS,
    n_samples=st.integers(1, 2**40),
    sample_rate=st.integers(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
    captured_ns=TIMES,
    score=FINITE,
    threshold=st.none() | FINITE,
    exceeds=st.booleans(),
    threshold_state=st.sampled_from(["calibrating", "ready"]),
    degraded=st.booleans(),
    level_dbfs=FINITE,
    model=MODELS,
    stage=st.sampled_from(["champion", "shadow"]),
    regime=REGIMES,
    reported_regime=REGIMES,
)
ALERTS = st.builds(
    Alert,
    alert_id=TEXT,
    dedup_key=TEXT,
    state=st.sampled_from(["opened", "updated", "closed"]),
    revision=COUNTS,
    severity=st.sampled_from(["warning", "critical"]),
    device_id=NAMES,
    detector=NAMES,
    session_id=NAMES,
    opened_session_id=NAMES,
    opened_first_sample=COUNTS,
    first_sample=COUNTS,
    sample_rate=st.integers(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
    opened_ns=TIMES,
    captured_ns=TIMES,
    score=FINITE,
    threshold=FINITE,
    peak_score=FINITE,
    confirmations=COUNTS,
    window_count=COUNTS,
    threshold_state=st.sampled_from(["calibrating", "ready"]),
    degraded=st.booleans(),
    bands=st.lists(st.builds(Band, hz_low=FINITE, hz_high=FINITE, excess=FINITE), max_size=4).map(tuple),
    audio=st.none() | st.builds(AudioSpan, topic=TEXT, partition=COUNTS, first_offset=COUNTS, last_offset=COUNTS),
    model=MODELS,
    summary=TEXT,
)

HEADER_NAMES = st.sampled_from([name for name, _ in CHUNK_RECORD.headers]) | st.text(max_size=20)
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.binary(max_size=40)), max_size=70).map(tuple)
ANY_RECORD = st.builds(
    Record,
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=400),
    headers=HEADERS,
)
EVENTS: list[Event] = [DEVICE, SCORE, ALERT]


@given(chunks())
def test_a_chunk_survives_its_record(chunk: Chunk) -> None:
    decoded = decode_chunk(encode_chunk(chunk))

    assert decoded == chunk
    assert np.array_equal(decoded.samples().astype("<i2").tobytes(), chunk.pcm)


@given(st.one_of(DEVICES, SCORES, ALERTS))
def test_an_event_survives_its_record(event: Event) -> None:
    assert type(event).from_record(event.to_record()) == event


@given(TIMES)
def test_a_time_survives_its_text(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", fullmatch=True))
def test_a_text_is_a_time_or_is_refused(text: str) -> None:
    try:
        ns = parse_time(text)
    except MalformedHeader:
        return
    assert text.isascii()
    assert format_time(ns)[:19] == text[:19]


@given(ANY_RECORD)
def test_any_record_at_all_is_refused_by_name(record: Record) -> None:
    for decode in (decode_chunk, Device.from_record, Score.from_record, Alert.from_record):
        with pytest.raises(ContractError):
            decode(record)


@given(st.data())
def test_a_chunk_spoiled_in_one_header_is_refused_or_still_within_limits(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(CHUNK_RECORD.headers) - 1))
    value = data.draw(st.binary(max_size=1100) | st.text(string.digits + "-.:TZ", max_size=30).map(str.encode))
    headers = list(CHUNK_RECORD.headers)
    headers[index] = (headers[index][0], value)
    try:
        chunk = decode_chunk(replace(CHUNK_RECORD, headers=tuple(headers)))
    except ContractError:
        return
    assert decode_chunk(encode_chunk(chunk)) == chunk


@given(st.integers(0, 3000))
def test_a_value_of_any_length_is_whole_frames_or_refused(length: int) -> None:
    try:
        chunk = decode_chunk(replace(CHUNK_RECORD, value=bytes(length)))
    except ContractError:
        assert length % 4 or length == 0
        return
    assert chunk.samples().shape == (length // 4, 2)


@given(st.sampled_from(EVENTS), st.binary(min_size=1, max_size=300))
def test_any_bytes_as_json_are_refused(event: Event, value: bytes) -> None:
    with pytest.raises(MalformedRecord):
        type(event).from_record(replace(event.to_record(), value=value))


@given(st.sampled_from(EVENTS), st.data())
def test_json_cut_short_is_refused(event: Event, data: st.DataObject) -> None:
    record = event.to_record()
    value = record.value or b""
    end = data.draw(st.integers(1, len(value) - 1))
    with pytest.raises(MalformedRecord):
        type(event).from_record(replace(record, value=value[:end]))


@given(st.sampled_from(EVENTS), st.data())
def test_json_with_one_byte_changed_is_refused_or_can_be_written_again(event: Event, data: st.DataObject) -> None:
    record = event.to_record()
    value = bytearray(record.value or b"")
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = type(event).from_record(replace(record, value=bytes(value)))
    except ContractError:
        return
    assert type(event).from_record(read.to_record()) == read


@given(ANY_RECORD, st.text(max_size=2000), st.integers(0, 2**31 - 1), COUNTS)
def test_a_dead_letter_holds_the_original_byte_for_byte(record: Record, text: str, partition: int, offset: int) -> None:
    once = dead_letter(record, ContractError(text), topic="tocsin.audio.v1", partition=partition, offset=offset)
    twice = dead_letter(once, ContractError(text), topic="tocsin.deadletter.v1", partition=0, offset=0)

    assert (once.key, once.value) == (record.key, record.value)
    assert original(once) == record
    assert original(original(twice)) == record
    assert all(len(value) <= 1024 for _, value in once.headers[len(record.headers) :])
