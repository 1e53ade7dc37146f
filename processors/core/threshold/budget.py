"""The one setting of a threshold, and the arithmetic that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from processors.core.threshold.tail_extrapolation import MAX_EXTRAPOLATION, MAX_LEVEL_EXTRAPOLATION, rank
from schemas.errors import SettingsError

BLOCK_NS = 60_000_000_000
BLOCKS_PER_HOUR = 60
BLOCKS_PER_DAY = 24 * BLOCKS_PER_HOUR
BLOCKS_PER_WEEK = 7 * BLOCKS_PER_DAY

PEAK_SHARE = 0.6
LEVEL_SHARE = 0.2
READY_DAYS = 7
MOST_DAYS = 56

LEARNING = 3.0
"""Times the promise until :data:`READY_DAYS` are heard, if that is no more than so many a week: extrapolated_quantile
for less from a day or two, a threshold stands so far off that it hides what is plain to hear."""

_MOST_PER_WEEK = 28.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a promise needs.

    Attributes:
        per_week: false alarms a device may raise in a week of heard sound.
        peak_rate, level_rate: probability with which a block may exceed by its peak, or by its level.
        learning: times these rates until :data:`READY_DAYS` are heard, >= 1.
        days: length of the reference, in days of heard sound.
        repeats: short alarms within a day that chance may bring; more are no chance.
        tops: largest peaks a day keeps at least, and half as many levels.
    """

    per_week: float
    peak_rate: float
    level_rate: float
    learning: float
    days: int
    repeats: int
    tops: int

    @property
    def blocks(self) -> int:
        """Blocks in the whole reference."""
        return self.days * BLOCKS_PER_DAY


def plan(per_week: float, *, sustained: bool = True) -> Plan:
    """The arithmetic of "at most ``per_week`` false alarms per device per week".

    Args:
        per_week: the promise.
        sustained: whether levels are judged too; else peaks have their share, and as a model's own threshold holds
            from the beginning, the promise does too.

    Raises:
        SettingsError: no reference that a state can hold keeps the promise, or one so loose that days of few tops
            cannot rank it; the message shows the sum.
    """
    if not (math.isfinite(per_week) and per_week > 0.0):
        raise SettingsError(f"sensitivity {per_week} a week: give a number above 0")
    if per_week > _MOST_PER_WEEK:
        raise SettingsError(
            f"sensitivity {per_week:g} a week is {per_week / 7:g} a day; more than {_MOST_PER_WEEK / 7:g} a day is not "
            "an alarm but a noise: choose less, or judge the scores themselves"
        )
    share = PEAK_SHARE if sustained else PEAK_SHARE + LEVEL_SHARE
    peak_rate = share * per_week / BLOCKS_PER_WEEK
    # Two expected exceedances: the second largest value is the threshold, so that one odd value is not.
    days = min(max(math.ceil(2.0 * 7.0 / (share * per_week)), READY_DAYS), MOST_DAYS)
    n = days * BLOCKS_PER_DAY
    wanted = 1.0 / (peak_rate * (n + 1))
    if wanted > MAX_EXTRAPOLATION / 2.0:
        raise SettingsError(
            f"sensitivity {per_week:g} a week cannot be promised: {share:g} of it for peaks is one exceedance in "
            f"{1.0 / peak_rate:,.0f} blocks of a minute, but a device remembers at most {MOST_DAYS} days = {n:,} "
            f"blocks, and the largest of n is exceeded once in n + 1 = {n + 1:,}: {wanted:.1f} times too often. "
            f"The least that can be promised is {per_week * wanted / (MAX_EXTRAPOLATION / 2.0):.3f} a week"
        )
    a_day = per_week / 7.0
    return Plan(
        per_week=per_week,
        peak_rate=peak_rate,
        level_rate=LEVEL_SHARE * per_week / BLOCKS_PER_WEEK if sustained else 0.0,
        learning=max(1.0, min(LEARNING, LEARNING / per_week)) if sustained else 1.0,
        days=days,
        repeats=math.ceil(a_day + 3.0 * math.sqrt(a_day) + 1.0),
        tops=8 if days <= MOST_DAYS // 2 else 6,
    )


def explain(chosen: Plan, heard_blocks: int | None = None) -> tuple[str, ...]:
    """The same arithmetic in sentences, one a line.

    Args:
        chosen: of :func:`plan`.
        heard_blocks: blocks in a device's reference now; the whole reference when None.
    """
    n = max(1, chosen.blocks if heard_blocks is None else min(heard_blocks, chosen.blocks))
    times = chosen.learning if n < READY_DAYS * BLOCKS_PER_DAY else 1.0
    lines = [
        f"at most {chosen.per_week:g} false alarms a week of heard sound = {chosen.per_week / 7.0:.3f} a day",
        f"a week has 7 x 24 x 60 = {BLOCKS_PER_WEEK:,} blocks of one minute",
    ]
    if chosen.learning > 1.0:
        many = chosen.learning
        lines.append(
            f"until {READY_DAYS} days are heard {many:g} times as many, {many * chosen.per_week:g} a week: foretold "
            "for less from so little, the threshold would stand too far off to find much"
        )
    for name, rate, coldest in (
        ("peak", times * chosen.peak_rate, MAX_EXTRAPOLATION),
        ("level", times * chosen.level_rate, MAX_LEVEL_EXTRAPOLATION),
    ):
        if rate == 0.0:
            continue
        place = rank(n, rate, coldest)
        share = rate * BLOCKS_PER_WEEK / (times * chosen.per_week)
        lines.append(
            f"{name}: {share:.0%} of them, so a block may exceed with p <= {rate:.3g}; of n = {n:,} blocks heard the "
            f"k-th largest is exceeded with p = k / (n + 1)"
        )
        if place.beyond == 1.0:
            lines.append(
                f"{name}: k = floor({rate:.3g} x {n + 1:,}) = {place.k}: p = {place.k / (n + 1):.3g}, that is "
                f"{place.k / (n + 1) * BLOCKS_PER_WEEK:.3f} a week"
            )
        else:
            lines.append(
                f"{name}: {rate:.3g} x {n + 1:,} = {rate * (n + 1):.3g} is less than 1: the largest is exceeded too "
                f"often, so the threshold stands where it is {place.beyond:.1f} times rarer, by the tail's index"
            )
    unspent = 1.0 - (chosen.peak_rate + chosen.level_rate) * BLOCKS_PER_WEEK / chosen.per_week
    lines.append(f"{unspent:.0%} is kept back for what the arithmetic does not see: clipping, drift, a changing place")
    lines.append(f"the reference holds the last {chosen.days} days of heard sound; ready after {READY_DAYS}")
    return tuple(lines)
