"""Times as people read them, in texts and pictures."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.cloudevents import MAX_NS

_DAY_NS = 86_400 * 1_000_000_000
_LAST_PLOT_DAY = 2_896_000
"""In the year 9898: matplotlib refuses years of five digits, also in the margins beside a curve."""


def utc_text(ns: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time in UTC, to the second.

    Args:
        ns: nanoseconds since 1970; beyond the years 1970 to 9999 the number itself is the text.
        form: as :meth:`datetime.datetime.strftime` takes it.
    """
    if not 0 <= ns <= MAX_NS:
        return f"{ns} ns"
    # Whole seconds: a float would round the last one up into the year 10000.
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime(form)


def plot_days(ns: int) -> float:
    """Days since 1970, matplotlib's unit of time; what lies beyond its calendar is drawn at its end."""
    return min(max(ns / _DAY_NS, 0.0), _LAST_PLOT_DAY)
