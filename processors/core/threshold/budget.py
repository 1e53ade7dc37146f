"""The false-alarm budget: the one setting of a threshold, and the arithmetic that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from processors.core.threshold.tail_extrapolation import MAX_EXTRAPOLATION, MAX_LEVEL_EXTRAPOLATION, threshold_rank
from schemas.errors import SettingsError

BLOCK_NS = 60_000_000_000
BLOCKS_PER_HOUR = 60
BLOCKS_PER_DAY = 24 * BLOCKS_PER_HOUR
BLOCKS_PER_WEEK = 7 * BLOCKS_PER_DAY

PEAK_SHARE = 0.6
LEVEL_SHARE = 0.2
READY_DAYS = 7
MAX_DAYS = 56

CALIBRATION_ALLOWANCE = 3.0
"""Until :data:`READY_DAYS` are observed, the rates are so many times the budget's, but no more than those of so many
false alarms a week: extrapolated to less from a day or two, a threshold is so high that it hides plain faults."""

_MAX_PER_WEEK = 28.0


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """The quantities that follow from a false-alarm budget.

    Attributes:
        false_alarms_per_week: the budget: false alarms a device may raise in a week of observed audio.
        peak_rate, level_rate: probability with which a block may exceed by its peak, or by its level.
        calibration_allowance: factor on these rates until :data:`READY_DAYS` are observed, >= 1.
        days: length of the reference, in days of observed audio.
        max_daily_episodes: short episodes within a day that chance may cause; more are taken for a fault.
        maxima_per_day: largest peaks stored for a day at least, and half as many levels.
    """

    false_alarms_per_week: float
    peak_rate: float
    level_rate: float
    calibration_allowance: float
    days: int
    max_daily_episodes: int
    maxima_per_day: int

    @property
    def blocks(self) -> int:
        """Blocks in the whole reference."""
        return self.days * BLOCKS_PER_DAY


def budget_plan(false_alarms_per_week: float, *, sustained: bool = True) -> BudgetPlan:
    """The plan for "at most ``false_alarms_per_week`` false alarms per device per week".

    Args:
        false_alarms_per_week: the budget.
        sustained: whether levels are compared too; otherwise peaks have their share, and because the model's own
            threshold holds from the beginning, the budget does too.

    Raises:
        SettingsError: no reference that fits into a state keeps the budget, or the budget is so loose that the maxima
            stored for a day cannot rank it; the message shows the arithmetic.
    """
    if not (math.isfinite(false_alarms_per_week) and false_alarms_per_week > 0.0):
        raise SettingsError(f"{false_alarms_per_week} false alarms a week: give a number above 0")
    if false_alarms_per_week > _MAX_PER_WEEK:
        raise SettingsError(
            f"{false_alarms_per_week:g} false alarms a week are {false_alarms_per_week / 7:g} a day; more than "
            f"{_MAX_PER_WEEK / 7:g} a day are of no use as alerts: choose fewer, or evaluate the scores themselves"
        )
    share = PEAK_SHARE if sustained else PEAK_SHARE + LEVEL_SHARE
    peak_rate = share * false_alarms_per_week / BLOCKS_PER_WEEK
    # Two expected exceedances: the second largest value is the threshold, so that a single outlier is not.
    days = min(max(math.ceil(2.0 * 7.0 / (share * false_alarms_per_week)), READY_DAYS), MAX_DAYS)
    n = days * BLOCKS_PER_DAY
    extrapolation = 1.0 / (peak_rate * (n + 1))
    if extrapolation > MAX_EXTRAPOLATION / 2.0:
        least = false_alarms_per_week * extrapolation / (MAX_EXTRAPOLATION / 2.0)
        raise SettingsError(
            f"{false_alarms_per_week:g} false alarms a week cannot be kept: {share:g} of them for peaks is one "
            f"exceedance in {1.0 / peak_rate:,.0f} blocks of a minute, but a device stores at most {MAX_DAYS} days = "
            f"{n:,} blocks, and the largest of n is exceeded once in n + 1 = {n + 1:,}: {extrapolation:.1f} times too "
            f"often. Choose at least {least:.3f} a week"
        )
    per_day = false_alarms_per_week / 7.0
    allowance = max(1.0, min(CALIBRATION_ALLOWANCE, CALIBRATION_ALLOWANCE / false_alarms_per_week))
    return BudgetPlan(
        false_alarms_per_week=false_alarms_per_week,
        peak_rate=peak_rate,
        level_rate=LEVEL_SHARE * false_alarms_per_week / BLOCKS_PER_WEEK if sustained else 0.0,
        calibration_allowance=allowance if sustained else 1.0,
        days=days,
        max_daily_episodes=math.ceil(per_day + 3.0 * math.sqrt(per_day) + 1.0),
        maxima_per_day=8 if days <= MAX_DAYS // 2 else 6,
    )


def explain_budget(plan: BudgetPlan, reference_blocks: int | None = None) -> tuple[str, ...]:
    """The same arithmetic in sentences, one per line.

    Args:
        plan: of :func:`budget_plan`.
        reference_blocks: blocks in a device's reference now; the whole reference when None.
    """
    n = max(1, plan.blocks if reference_blocks is None else min(reference_blocks, plan.blocks))
    allowance = plan.calibration_allowance if n < READY_DAYS * BLOCKS_PER_DAY else 1.0
    per_week = plan.false_alarms_per_week
    lines = [
        f"at most {per_week:g} false alarms a week of observed audio = {per_week / 7.0:.3f} a day",
        f"a week has 7 x 24 x 60 = {BLOCKS_PER_WEEK:,} blocks of one minute",
    ]
    if plan.calibration_allowance > 1.0:
        many = plan.calibration_allowance
        lines.append(
            f"until {READY_DAYS} days are observed {many:g} times as many, {many * per_week:g} a week: extrapolated to "
            "fewer from so little audio, the threshold would be too high to find much"
        )
    for name, rate, max_extrapolation in (
        ("peak", allowance * plan.peak_rate, MAX_EXTRAPOLATION),
        ("level", allowance * plan.level_rate, MAX_LEVEL_EXTRAPOLATION),
    ):
        if rate == 0.0:
            continue
        rank = threshold_rank(n, rate, max_extrapolation)
        share = rate * BLOCKS_PER_WEEK / (allowance * per_week)
        lines.append(
            f"{name}: {share:.0%} of them, so a block may exceed with p <= {rate:.3g}; of n = {n:,} observed blocks "
            f"the k-th largest is exceeded with p = k / (n + 1)"
        )
        if rank.extrapolation == 1.0:
            lines.append(
                f"{name}: k = floor({rate:.3g} x {n + 1:,}) = {rank.k}: p = {rank.k / (n + 1):.3g}, that is "
                f"{rank.k / (n + 1) * BLOCKS_PER_WEEK:.3f} a week"
            )
        else:
            lines.append(
                f"{name}: {rate:.3g} x {n + 1:,} = {rate * (n + 1):.3g} is less than 1: the largest is exceeded too "
                f"often, so the threshold is extrapolated to a value {rank.extrapolation:.1f} times rarer, by the "
                "extreme value index"
            )
    reserve = 1.0 - (plan.peak_rate + plan.level_rate) * BLOCKS_PER_WEEK / per_week
    lines.append(f"{reserve:.0%} is reserved for what the arithmetic ignores: clipping, drift, changing surroundings")
    lines.append(f"the reference holds the last {plan.days} days of observed audio; ready after {READY_DAYS}")
    return tuple(lines)
