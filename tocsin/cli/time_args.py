"""Durations and times as people write them: ``90m``, ``7d``, ``2026-01-31T12:00:00Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from schemas.errors import SettingsError

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])", re.ASCII)


def duration_ms(text: str, option: str) -> int:
    """Milliseconds of a duration, > 0.

    Args:
        text: a number and one of ``s``, ``m``, ``h``, ``d``, ``w``.
        option: named in the message.

    Raises:
        SettingsError: ``text`` is not a duration, or is shorter than a millisecond.
    """
    match = _DURATION.fullmatch(text.strip())
    whole = 0 if match is None else round(float(match[1]) * _UNITS_S[match[2]] * 1_000)
    if whole < 1:
        raise SettingsError(
            f"{option} {text!r} is not a duration: give a number and s, m, h, d or w, such as 90m or 7d"
        )
    return whole


def time_ms(text: str, option: str, now_ms: int) -> int:
    """Milliseconds since 1970 of a time: a duration before now, or an RFC 3339 time with its zone.

    Raises:
        SettingsError: ``text`` is neither.
    """
    if _DURATION.fullmatch(text.strip()):
        return max(0, now_ms - duration_ms(text, option))
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at.year < 1970:
        raise SettingsError(
            f"{option} {text!r} is not a time: give how long ago, such as 7d or 90m, or a time with its zone, such as"
            " 2026-01-31T12:00:00Z"
        )
    return round(at.astimezone(UTC).timestamp() * 1_000)
