"""Text from outside becomes one line of visible characters."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.cloudevents import MAX_NS
from schemas.printable import ascii_json, plot_text, printable
from schemas.time_text import utc_text

ANY_TEXT = st.text(st.characters(), max_size=60)


@given(ANY_TEXT)
@example("\x1b]0;owned\x07\x9b31m\r\n\u202e\u200b\u2028\x7f\ud800")
def test_nothing_hidden_is_left(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "text", ["pump-1", "Geräusch im Café", "ポンプ 1", "e\u0301", "[/x] $a_b$", "±2.5 °C", "машина"]
)
def test_what_people_write_is_unchanged(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x85", "\\x85"),
        ("\u202eabc", "\\u202eabc"),
        ("a\u200bb", "a\\u200bb"),
        ("\u3164", "\\u3164"),
        ("\ufeff", "\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("a" + "\u0301" * 6, "a" + "\u0301" * 4 + "\\u0301" * 2),
    ],
)
def test_the_rest_is_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_json_is_ascii_and_means_the_same(text: str) -> None:
    plain = json.dumps({"a": text}, ensure_ascii=False)
    assert ascii_json(plain).isascii()
    assert ascii_json(plain).isprintable()
    assert json.loads(ascii_json(plain)) == json.loads(plain)


def test_a_dollar_begins_no_formula() -> None:
    assert plot_text(r"$\frac{1}{0}$") == r"\$\frac{1}{0}\$"


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "1970-01-01 00:00:00"),
        (253_402_041_600 * 10**9, "9999-12-29 00:00:00"),
        (MAX_NS + 1, f"{MAX_NS + 1} ns"),
        (-1, "-1 ns"),
        (10**300, f"{10**300} ns"),
    ],
)
def test_a_time_far_off_is_shown(ns: int, shown: str) -> None:
    assert utc_text(ns) == shown
