"""Dead letters: the reason, and the original record."""

from __future__ import annotations

from schemas.deadletter import dead_letter, original
from schemas.errors import EmptyValue, MalformedHeader
from schemas.record import Record
from tests.unit.schemas.records import CHUNK_RECORD


def test_it_names_the_error_and_the_position() -> None:
    letter = dead_letter(
        CHUNK_RECORD, MalformedHeader("ce_time is odd"), topic="tocsin.audio.v1", partition=3, offset=42
    )

    assert dict(letter.headers[len(CHUNK_RECORD.headers) :]) == {
        "tocsin_error_class": b"MalformedHeader",
        "tocsin_error_message": b"ce_time is odd",
        "tocsin_error_topic": b"tocsin.audio.v1",
        "tocsin_error_partition": b"3",
        "tocsin_error_offset": b"42",
    }
    assert original(letter) == CHUNK_RECORD


def test_a_long_reason_is_cut() -> None:
    letter = dead_letter(CHUNK_RECORD, EmptyValue("\N{EURO SIGN}" * 5_000), topic="t", partition=0, offset=0)

    message = dict(letter.headers)["tocsin_error_message"]
    assert len(message) <= 1024
    assert message.decode() == "\N{EURO SIGN}" * 341


def test_a_dead_letter_of_a_dead_letter_keeps_the_first_reason() -> None:
    once = dead_letter(CHUNK_RECORD, EmptyValue("first"), topic="a", partition=0, offset=1)
    twice = dead_letter(once, EmptyValue("second"), topic="b", partition=0, offset=2)

    assert original(twice) == once
    assert original(original(twice)) == CHUNK_RECORD


def test_a_record_that_is_not_a_dead_letter_is_unchanged() -> None:
    plain = Record(None, None, (("tocsin_error_message", b"not ours"),))
    assert original(plain) is not None
    assert original(plain) == plain
