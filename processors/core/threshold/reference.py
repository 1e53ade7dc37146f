"""The reference: a device's normal sound as each day's largest peaks and levels, and the location of its scores."""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

from processors.core.threshold.budget import BLOCKS_PER_DAY, READY_DAYS, BudgetPlan

MAX_SLEW = 0.15
"""Spreads an hour that the location follows at most; a faster rise is a fault, a slower one is drift."""
DRIFT_SPREADS = 1.0
"""Spreads between the day's location and the baseline that raise a drift notice."""
CEILING_FACTOR = 1.5
"""Mean block peaks above the location at which scores are clipped for the level."""
STEADY_SPREADS = 0.25
STEADY_DAYS = 3
MIN_HOUR_PROBABILITY = 1e-6
"""While calibrating, the first hour with a less probable number of record blocks is left out, once."""

MAX_RANKED = 25
"""Largest values that are ranked, and stored of the current day: the extreme value index is estimated from them."""


class BlockSummary(NamedTuple):
    """A complete block, relative to the location at its time.

    Attributes:
        mean: of the scores, each clipped at the ceiling.
        mean_square: of the same.
        peak: largest confirmed score.
        level: largest running sum of scores clipped at the ceiling, as a share of a block; see ``BlockRule``.
    """

    mean: float
    mean_square: float
    peak: float
    level: float


class BlockMaxima(NamedTuple):
    """The largest values of a number of blocks.

    Attributes:
        blocks: their number.
        peaks, levels: the largest, in descending order.
        mean_sum, square_sum, peak_sum: sums of the blocks' means, mean squares and peaks.
    """

    blocks: int = 0
    peaks: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    mean_sum: float = 0.0
    square_sum: float = 0.0
    peak_sum: float = 0.0


class Reference(NamedTuple):
    """The blocks that new blocks are ranked against.

    Attributes:
        location: the usual score; it follows slowly.
        spread: standard deviation of scores within a block, > 0.
        ceiling: where scores are clipped for the level, relative to the location, > 0.
        days: days promoted from quarantine, the newest last.
        quarantine: the last complete day.
        today: the complete hours since.
        hour: blocks since the last complete hour, and while calibrating the values of short episodes since; discarded
            when a fault begins.
        baseline: the location that drift is measured from.
        location_sum, location_hours: sum of the locations of today's hours, and their number.
        last_day_location: location of the last complete day.
        steady_days: complete days for which the location has been steady.
        drifting: whether the drift was reported.
        outlier_left_out: whether an improbable hour was left out.
    """

    location: float
    spread: float
    ceiling: float
    days: tuple[BlockMaxima, ...]
    quarantine: BlockMaxima | None
    today: BlockMaxima
    hour: BlockMaxima
    baseline: float
    location_sum: float = 0.0
    location_hours: int = 0
    last_day_location: float = 0.0
    steady_days: int = 0
    drifting: bool = False
    outlier_left_out: bool = False

    @property
    def blocks(self) -> int:
        """Blocks in the reference, those in quarantine included."""
        quarantined = 0 if self.quarantine is None else self.quarantine.blocks
        return sum(day.blocks for day in self.days) + quarantined + self.today.blocks

    @property
    def ready(self) -> bool:
        """Whether there are enough promoted days to rank against these alone."""
        return sum(day.blocks for day in self.days) >= READY_DAYS * BLOCKS_PER_DAY

    def ranked_maxima(self) -> BlockMaxima:
        """The maxima that are ranked: of promoted days, and of all complete hours until there are enough of those."""
        parts = list(self.days)
        if not self.ready:
            parts += [self.today] if self.quarantine is None else [self.quarantine, self.today]
        return merge_maxima(parts, MAX_RANKED)

    def compacted(self) -> Reference:
        """The same with all promoted days before the newest merged into one, for storage; the limits are the same.

        Merged days are dropped together, once as many days have followed as a reference holds.
        """
        if len(self.days) < 3:
            return self
        return self._replace(days=(merge_maxima(list(self.days[:-1]), MAX_RANKED), self.days[-1]))


def insert_maximum(maxima: tuple[float, ...], value: float, count: int) -> tuple[float, ...]:
    """``maxima`` in descending order with ``value`` inserted, at most ``count``."""
    if len(maxima) == count and value <= maxima[-1]:
        return maxima
    value = round_significant(value)
    at = len(maxima)
    while at and maxima[at - 1] < value:
        at -= 1
    return (*maxima[:at], value, *maxima[at:])[:count]


def remove_maximum(maxima: tuple[float, ...], value: float) -> tuple[float, ...]:
    """``maxima`` without one ``value``; unchanged where it is absent."""
    if value not in maxima:
        return maxima
    at = maxima.index(value)
    return maxima[:at] + maxima[at + 1 :]


def merge_maxima(parts: list[BlockMaxima], count: int) -> BlockMaxima:
    """Several as one, with at most ``count`` peaks and levels."""
    return BlockMaxima(
        sum(part.blocks for part in parts),
        tuple(heapq.nlargest(count, (peak for part in parts for peak in part.peaks))),
        tuple(heapq.nlargest(count, (level for part in parts for level in part.levels))),
        sum(part.mean_sum for part in parts),
        sum(part.square_sum for part in parts),
        sum(part.peak_sum for part in parts),
    )


def round_significant(value: float) -> float:
    """``value`` to five significant digits, to keep the stored text small."""
    return float(f"{value:.5g}")


def round_to_spread(value: float, spread: float) -> float:
    """``value`` to a millionth of ``spread`` or better."""
    return round(value, max(0, 6 - math.floor(math.log10(spread))))


def add_block(hour: BlockMaxima, block: BlockSummary) -> BlockMaxima:
    """An hour with one more block."""
    return BlockMaxima(
        hour.blocks + 1,
        insert_maximum(hour.peaks, block.peak, MAX_RANKED),
        insert_maximum(hour.levels, block.level, MAX_RANKED),
        hour.mean_sum + block.mean,
        hour.square_sum + block.mean_square,
        hour.peak_sum + block.peak,
    )


def end_hour(reference: Reference, plan: BudgetPlan) -> Reference:
    """The complete hour enters the reference; the location follows it; complete days pass through quarantine.

    While calibrating, the first hour with implausibly many record blocks is left out: it may be a fault of single
    events that the threshold, still high, has not detected. A second one enters, because a device may become louder.
    """
    hour, spread = reference.hour, reference.spread
    may_leave_out = not (reference.outlier_left_out or reference.ready)
    if may_leave_out and _record_probability(hour, reference.ranked_maxima()) < MIN_HOUR_PROBABILITY:
        return reference._replace(hour=BlockMaxima(), outlier_left_out=True)
    shift = hour.mean_sum / hour.blocks
    max_shift = MAX_SLEW * spread
    location = reference.location + min(max(shift, -max_shift), max_shift)
    spread_within = math.sqrt(max(hour.square_sum / hour.blocks - shift * shift, 0.0))
    # Once promoted days alone are ranked, no more is stored of this one than it will be promoted with.
    count = plan.maxima_per_day if reference.ready else MAX_RANKED
    today = merge_maxima([reference.today, hour], count)._replace(mean_sum=0.0, square_sum=0.0, peak_sum=0.0)
    after = reference._replace(
        location=round_to_spread(location, spread),
        spread=round_significant(0.9 * spread + 0.1 * spread_within) if spread_within > 0.0 else spread,
        ceiling=round_significant(0.9 * reference.ceiling + 0.1 * CEILING_FACTOR * hour.peak_sum / hour.blocks),
        today=today,
        hour=BlockMaxima(),
        location_sum=reference.location_sum + location,
        location_hours=reference.location_hours + 1,
    )
    return _end_day(after, plan) if today.blocks >= BLOCKS_PER_DAY else after


def _record_probability(hour: BlockMaxima, before: BlockMaxima) -> float:
    """Upper bound of the probability, for exchangeable blocks, of as many record blocks as the hour has."""
    records = sum(peak > before.peaks[0] for peak in hour.peaks)
    return math.pow(hour.blocks / (hour.blocks + before.blocks), records)


def _end_day(reference: Reference, plan: BudgetPlan) -> Reference:
    today, location = reference.today, reference.location_sum / reference.location_hours
    days = reference.days if reference.quarantine is None else (*reference.days, reference.quarantine)
    moved = abs(location - reference.last_day_location) > STEADY_SPREADS * reference.spread
    steady_days = 0 if moved else reference.steady_days + 1
    # After a drift, a location that has proved steady becomes the baseline.
    settled = reference.drifting and steady_days >= STEADY_DAYS
    is_first_day = not reference.days and reference.quarantine is None
    baseline = location if settled or is_first_day else reference.baseline
    drifting = not settled and (reference.drifting or abs(location - baseline) > DRIFT_SPREADS * reference.spread)
    after = reference._replace(
        days=days[-plan.days :],
        quarantine=today,
        today=BlockMaxima(),
        baseline=round_to_spread(baseline, reference.spread),
        location_sum=0.0,
        location_hours=0,
        last_day_location=round_to_spread(location, reference.spread),
        steady_days=steady_days,
        drifting=drifting,
    )
    return _prune(after, plan)


def _prune(reference: Reference, plan: BudgetPlan) -> Reference:
    """Keeps the largest few values of each complete day, and while calibrating all that are ranked.

    All largest values of a few days may be of one day, and storing fewer of one day than of another would make the
    tail look heavier than it is.
    """
    ranked = BlockMaxima() if reference.ready else reference.ranked_maxima()

    def largest(maxima: tuple[float, ...], count: int, ranked_values: tuple[float, ...]) -> tuple[float, ...]:
        are_ranked = sum(value >= ranked_values[-1] for value in maxima) if ranked_values else 0
        return maxima[: max(count, are_ranked)]

    def pruned(day: BlockMaxima) -> BlockMaxima:
        # Merged days keep as many values as they would apart.
        count = plan.maxima_per_day * max(1, day.blocks // BLOCKS_PER_DAY)
        peaks = largest(day.peaks, count, ranked.peaks)
        return day._replace(peaks=peaks, levels=largest(day.levels, count // 2, ranked.levels))

    quarantine = None if reference.quarantine is None else pruned(reference.quarantine)
    return reference._replace(days=tuple(map(pruned, reference.days)), quarantine=quarantine)


def first_reference(blocks: tuple[tuple[float, float], ...], spread: float) -> Reference:
    """The reference after the warm-up.

    Args:
        blocks: mean and peak of each block of the first hour.
        spread: standard deviation of the scores, > 0.
    """
    location = round_to_spread(sum(mean for mean, _ in blocks) / len(blocks), spread)
    peaks = sorted((round_significant(peak - location) for _, peak in blocks), reverse=True)
    levels = sorted((round_significant(mean - location) for mean, _ in blocks), reverse=True)
    return Reference(
        location=location,
        spread=round_significant(spread),
        ceiling=round_significant(max(CEILING_FACTOR * sum(peaks) / len(peaks), spread)),
        days=(),
        quarantine=None,
        today=BlockMaxima(len(blocks), tuple(peaks[:MAX_RANKED]), tuple(levels[:MAX_RANKED])),
        hour=BlockMaxima(),
        baseline=location,
        location_sum=location,
        location_hours=1,
        last_day_location=location,
    )
