"""Chunks: what is refused, with which error, and that nothing is allocated before its size is known."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from schemas.chunk import MAX_BYTES, MAX_CAPTURED_NS, MAX_SAMPLE, Chunk, decode_chunk, encode_chunk
from schemas.errors import (
    ContractError,
    EmptyValue,
    HeaderFlood,
    MalformedHeader,
    MissingHeader,
    OversizedValue,
    RepeatedHeader,
    TruncatedValue,
    UnknownEncoding,
    UnknownType,
    UnsupportedVersion,
    WrongChannelCount,
    WrongKey,
    WrongSampleRate,
)
from schemas.record import Record
from tests.unit.schemas.records import CHUNK, CHUNK_RECORD, DAY_NS, with_header, without_header

REQUIRED = [name for name, _ in CHUNK_RECORD.headers]


def test_a_chunk_travels_as_its_own_bytes_under_its_device() -> None:
    assert CHUNK_RECORD.value is CHUNK.pcm
    assert CHUNK_RECORD.key == b"fan-1"
    headers = dict(CHUNK_RECORD.headers)
    assert headers["content-type"] == b"audio/x-pcm-s16le"
    assert headers["ce_sequence"] == b"00000000000000000003"
    assert headers["ce_id"] == b"s1/3"


def test_samples_are_a_view_of_the_bytes() -> None:
    chunk = Chunk("d", "s", 0, 10, 8_000, 2, 0, np.array([[1, -2], [3, -4]], dtype="<i2").tobytes())

    assert chunk.samples().tolist() == [[1, -2], [3, -4]]
    assert not chunk.samples().flags.owndata
    assert (chunk.n_samples, chunk.end_sample) == (2, 12)


@pytest.mark.parametrize("name", REQUIRED)
def test_every_header_is_required(name: str) -> None:
    with pytest.raises(MissingHeader, match=name):
        decode_chunk(without_header(CHUNK_RECORD, name))


@pytest.mark.parametrize("name", REQUIRED)
def test_an_empty_header_is_a_missing_one(name: str) -> None:
    with pytest.raises(MissingHeader, match=name):
        decode_chunk(with_header(CHUNK_RECORD, name, b""))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_repeated_header_is_refused(name: str) -> None:
    again = (name, dict(CHUNK_RECORD.headers)[name])
    with pytest.raises(RepeatedHeader, match=name):
        decode_chunk(replace(CHUNK_RECORD, headers=(*CHUNK_RECORD.headers, again)))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_header_that_is_not_utf_8_is_refused(name: str) -> None:
    with pytest.raises(MalformedHeader, match=name):
        decode_chunk(with_header(CHUNK_RECORD, name, b"\xff\xfe"))


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, b"x" * 1025])
def test_a_null_or_huge_header_is_refused(name: str, value: bytes | None) -> None:
    with pytest.raises(HeaderFlood, match=name):
        decode_chunk(with_header(CHUNK_RECORD, name, value))


def test_other_headers_are_ignored_up_to_a_bound() -> None:
    foreign = tuple((f"trace-{number}", b"\xff" * 2000) for number in range(64 - len(REQUIRED)))
    assert decode_chunk(replace(CHUNK_RECORD, headers=CHUNK_RECORD.headers + foreign)) == CHUNK

    with pytest.raises(HeaderFlood, match="65 headers"):
        decode_chunk(replace(CHUNK_RECORD, headers=(*CHUNK_RECORD.headers, *foreign, ("one-more", b""))))


def test_a_content_type_under_the_wrong_name_does_not_count() -> None:
    bare = without_header(CHUNK_RECORD, "content-type")
    with pytest.raises(MissingHeader, match="content-type"):
        decode_chunk(replace(bare, headers=(*bare.headers, ("ce_content-type", b"audio/x-pcm-s16le"))))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("ce_specversion", b"0.3", UnsupportedVersion),
        ("ce_specversion", b"1.0.2", UnsupportedVersion),
        ("ce_type", b"tocsin.audio.v2", UnsupportedVersion),
        ("ce_type", b"tocsin.score.v1", UnknownType),
        ("ce_type", "tocsin.audio.v\N{ARABIC-INDIC DIGIT TWO}".encode(), UnknownType),
        ("ce_type", b"com.example.audio", UnknownType),
        ("content-type", b"audio/flac", UnknownEncoding),
        ("content-type", b"application/json", UnknownEncoding),
        ("ce_partitionkey", b"fan-2", WrongKey),
        ("ce_partitionkey", b"fan 1", WrongKey),
        ("ce_sessionid", b"../../etc", MalformedHeader),
        ("ce_sessionid", b"s\n", MalformedHeader),
        ("ce_sessionid", "s\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), MalformedHeader),
        ("ce_sessionid", b"s" * 101, MalformedHeader),
        ("ce_samplerate", b"0", WrongSampleRate),
        ("ce_samplerate", b"999", WrongSampleRate),
        ("ce_samplerate", b"192001", WrongSampleRate),
        ("ce_samplerate", b"9223372036854775807", WrongSampleRate),
        ("ce_channels", b"0", WrongChannelCount),
        ("ce_channels", b"9", WrongChannelCount),
        ("ce_channels", b"3", TruncatedValue),
        ("ce_firstsample", str(MAX_SAMPLE).encode(), MalformedHeader),
    ],
)
def test_a_wrong_header_has_its_error(name: str, value: bytes, error: type[ContractError]) -> None:
    with pytest.raises(ContractError) as caught:
        decode_chunk(with_header(CHUNK_RECORD, name, value))
    assert caught.type is error


@pytest.mark.parametrize("name", ["ce_sequence", "ce_firstsample", "ce_samplerate", "ce_channels"])
@pytest.mark.parametrize(
    "value",
    [
        *("-1", "+1", " 1", "1 ", "1_0", "1.0", "0x1", "1e3", "nan"),
        *("\N{ARABIC-INDIC DIGIT ONE}", "\N{SUPERSCRIPT TWO}"),
        *("9223372036854775808", "0" * 21, "9" * 1000),
    ],
)
def test_only_plain_whole_numbers_count(name: str, value: str) -> None:
    with pytest.raises(MalformedHeader, match=name):
        decode_chunk(with_header(CHUNK_RECORD, name, value.encode()))


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2025-10-09T08:53:20",
        "2025-10-09T08:53:20+02:00",
        "2025-10-09 08:53:20Z",
        "2025-13-09T08:53:20Z",
        "2025-02-30T08:53:20Z",
        "2025-10-09T24:00:00Z",
        "2025-10-09T08:53:60Z",
        "2025-10-09T08:53:20.1234567890Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "\N{ARABIC-INDIC DIGIT TWO}025-10-09T08:53:20Z",
        "2025-10-09T08:53:20Z\n",
    ],
)
def test_only_times_in_utc_count(value: str) -> None:
    with pytest.raises(MalformedHeader, match="ce_time"):
        decode_chunk(with_header(CHUNK_RECORD, "ce_time", value.encode()))


@pytest.mark.parametrize("key", [None, b"", b"fan-2", b"FAN-1", b"fan-1\0", b"x" * 100_000])
def test_the_key_must_be_the_device(key: bytes | None) -> None:
    with pytest.raises(WrongKey) as caught:
        decode_chunk(replace(CHUNK_RECORD, key=key))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_a_value_is_refused(value: bytes | None) -> None:
    with pytest.raises(EmptyValue):
        decode_chunk(replace(CHUNK_RECORD, value=value))


def test_a_value_cut_inside_a_frame_is_refused() -> None:
    with pytest.raises(TruncatedValue, match="1023 bytes"):
        decode_chunk(replace(CHUNK_RECORD, value=CHUNK.pcm[:-1]))


def test_the_longest_chunk_is_two_seconds() -> None:
    exact = replace(CHUNK, sample_rate=1_000, channels=1, pcm=bytes(4_000))
    assert decode_chunk(encode_chunk(exact)) == exact

    with pytest.raises(OversizedValue, match=r"2\.001 s"):
        encode_chunk(replace(exact, pcm=bytes(4_002)))


class Untouchable(bytes):
    """A value of which nothing but the length may be used."""

    __slots__ = ()

    def __len__(self) -> int:
        return MAX_BYTES + 1

    def _refuse(self, *_: object) -> object:
        raise AssertionError("the value was touched before its size was checked")

    __getitem__ = __iter__ = __bytes__ = __eq__ = __hash__ = __add__ = __repr__ = __buffer__ = _refuse  # type: ignore[assignment]
    decode = hex = _refuse  # type: ignore[assignment]


def test_an_oversized_value_is_refused_by_its_length_alone() -> None:
    with pytest.raises(OversizedValue, match=str(MAX_BYTES)):
        decode_chunk(replace(CHUNK_RECORD, value=Untouchable()))


@pytest.mark.parametrize(
    "record",
    [
        replace(CHUNK_RECORD, value=bytes(64 * 1024 * 1024)),
        replace(CHUNK_RECORD, key=bytes(64 * 1024 * 1024)),
        replace(CHUNK_RECORD, headers=(*CHUNK_RECORD.headers, ("ce_x", bytes(64 * 1024 * 1024)))),
        replace(CHUNK_RECORD, headers=(*CHUNK_RECORD.headers, *[("ce_" + "y" * 4_000_000, b"1")] * 2)),
        replace(CHUNK_RECORD, headers=CHUNK_RECORD.headers * 100_000),
    ],
    ids=["value", "key", "header", "header name", "headers"],
)
def test_refusing_what_is_huge_takes_no_memory(record: Record) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ContractError):
            decode_chunk(record)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"device_id": "fan 1"}, MalformedHeader),
        ({"device_id": ""}, MalformedHeader),
        ({"session_id": "\N{GREEK SMALL LETTER ALPHA}"}, MalformedHeader),
        ({"sequence": -1}, MalformedHeader),
        ({"sequence": 2**63}, MalformedHeader),
        ({"first_sample": -1}, MalformedHeader),
        ({"first_sample": MAX_SAMPLE}, MalformedHeader),
        ({"captured_ns": -1}, MalformedHeader),
        ({"captured_ns": 253_402_297_200 * 10**9}, MalformedHeader),
        ({"sample_rate": 500}, WrongSampleRate),
        ({"channels": 9}, WrongChannelCount),
        ({"regime": "night shift"}, MalformedHeader),
        ({"pcm": b""}, EmptyValue),
        ({"pcm": b"123"}, TruncatedValue),
        ({"pcm": bytes(MAX_BYTES + 4)}, OversizedValue),
    ],
)
def test_a_producer_cannot_write_what_no_reader_accepts(change: dict[str, object], error: type[ContractError]) -> None:
    with pytest.raises(ContractError) as caught:
        encode_chunk(replace(CHUNK, **change))
    assert caught.type is error


def test_a_regime_is_reported_or_left_out() -> None:
    assert decode_chunk(CHUNK_RECORD).regime == ""
    assert "ce_regime" not in dict(encode_chunk(CHUNK).headers)
    reported = encode_chunk(replace(CHUNK, regime="night"))
    assert dict(reported.headers)["ce_regime"] == b"night"
    assert decode_chunk(reported) == replace(CHUNK, regime="night")
    with pytest.raises(RepeatedHeader, match="ce_regime"):
        decode_chunk(replace(reported, headers=(*reported.headers, ("ce_regime", b"day"))))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"", MalformedHeader),
        (b"night shift", MalformedHeader),
        (b"night\n", MalformedHeader),
        (b"../night", MalformedHeader),
        (b"r" * 33, MalformedHeader),
        (b"\xff", MalformedHeader),
        (b"r" * 1_025, HeaderFlood),
        (None, HeaderFlood),
    ],
)
def test_a_regime_is_a_short_name_or_refused(value: bytes | None, error: type[ContractError]) -> None:
    with pytest.raises(ContractError, match="ce_regime") as caught:
        decode_chunk(replace(CHUNK_RECORD, headers=(*CHUNK_RECORD.headers, ("ce_regime", value))))
    assert caught.type is error


@pytest.mark.parametrize("ns", [0, 1, DAY_NS, MAX_CAPTURED_NS])
def test_nanoseconds_survive(ns: int) -> None:
    chunk = replace(CHUNK, captured_ns=ns)
    assert decode_chunk(encode_chunk(chunk)).captured_ns == ns
