"""Scores as text: short, and never 0.00 for a value that is not zero."""

from __future__ import annotations

import math

import pytest

from schemas.score_text import score_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (21.754, "21.75"),
        (-4.816, "-4.82"),
        (1.0, "1.00"),
        (0.0, "0.00"),
        (0.4567, "0.457"),
        (-0.001234, "-0.00123"),
        (3e-7, "3e-07"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_a_score_is_short_and_keeps_its_magnitude(value: float, text: str) -> None:
    assert score_text(value) == text
