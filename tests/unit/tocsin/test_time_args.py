"""Durations and times as people write them."""

from __future__ import annotations

import pytest

from schemas.errors import SettingsError
from tocsin.cli.time_args import duration_ms, time_ms

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [("30s", 30_000), ("1.5h", 5_400_000), ("90m", 5_400_000), ("12h", 43_200_000), ("7d", 604_800_000)],
)  # fmt: skip
def test_a_duration_is_a_number_and_a_unit(text: str, ms: int) -> None:
    assert duration_ms(text, "--since") == ms


@pytest.mark.parametrize("text", ["", "7", "d", "0s", "-7d", "7 days", "٧d", "1e3s", "7D"])
def test_an_invalid_duration_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(SettingsError, match="--since") as refused:
        duration_ms(text, "--since")
    assert repr(text) in str(refused.value)


def test_a_time_is_a_duration_before_now_or_has_a_zone() -> None:
    assert time_ms("2h", "--since", NOW) == NOW - 7_200_000
    assert time_ms("2026-01-31T12:00:00Z", "--since", NOW) == 1_769_860_800_000
    assert time_ms("2026-01-31T13:00:00+01:00", "--since", NOW) == 1_769_860_800_000


@pytest.mark.parametrize("text", ["yesterday", "2026-01-31T12:00:00", "12:00", "1969-01-01T00:00:00Z"])
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--until"):
        time_ms(text, "--until", NOW)
