"""What a device's normal sound was: the largest peaks and levels of each day, and where its scores usually lie."""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

from processors.core.threshold.budget import BLOCKS_PER_DAY, READY_DAYS, Plan

SLEW = 0.15
"""Spreads an hour at most that the location follows; what rises faster is a fault, what rises slower is drift."""
DRIFT = 1.0
"""Spreads between the day's location and the baseline that make a drift notice."""
CEILING = 1.5
"""Usual peaks of a block above the location at which scores are cut for its level."""
STEADY = 0.25
STEADY_DAYS = 3
ODD = 1e-6
"""How rarely an hour may stand out as much by chance: one that does is left out, once, while learning."""

MERGED = 25
"""Largest values ranked, and kept of the day under way: the tail's index is found from them."""


class Block(NamedTuple):
    """A minute of heard sound, relative to the location of its time.

    Attributes:
        mean: of the scores, each cut at the ceiling.
        square: mean square of the same.
        peak: largest confirmed score.
        level: largest running sum of scores cut at the ceiling, as a share of a block; see ``BlockRule``.
    """

    mean: float
    square: float
    peak: float
    level: float


class BlockMaxima(NamedTuple):
    """Blocks by their largest values.

    Attributes:
        n: blocks.
        peaks, levels: the largest, in descending order.
        mean, square, peak: sums over the blocks.
    """

    n: int = 0
    peaks: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    mean: float = 0.0
    square: float = 0.0
    peak: float = 0.0


class Reference(NamedTuple):
    """The sound that new sound is ranked against.

    Attributes:
        location: where scores usually lie now; it follows slowly.
        spread: standard deviation of scores within a block, > 0.
        ceiling: where scores are cut for the level, relative to the location, > 0.
        days: promoted, the newest last.
        waiting: the last whole day, in quarantine.
        today: the hours since.
        hour: blocks since the last whole hour, and while learning what chance brought since; dropped when a fault
            begins.
        baseline: the location that drift is told from.
        day_location, day_hours: sum of the locations of today's hours, and how many.
        last_day: location of the last whole day.
        steady: whole days that the location has stayed.
        drifting: whether the drift was told.
        left_out: whether an odd hour was left out.
    """

    location: float
    spread: float
    ceiling: float
    days: tuple[BlockMaxima, ...]
    waiting: BlockMaxima | None
    today: BlockMaxima
    hour: BlockMaxima
    baseline: float
    day_location: float = 0.0
    day_hours: int = 0
    last_day: float = 0.0
    steady: int = 0
    drifting: bool = False
    left_out: bool = False

    @property
    def blocks(self) -> int:
        """Blocks learned from, held or in quarantine."""
        waiting = 0 if self.waiting is None else self.waiting.n
        return sum(day.n for day in self.days) + waiting + self.today.n

    @property
    def ready(self) -> bool:
        """Whether promoted days alone decide."""
        return sum(day.n for day in self.days) >= READY_DAYS * BLOCKS_PER_DAY

    def promoted(self) -> BlockMaxima:
        """All that decides: promoted days; everything heard until there are enough of them."""
        parts = list(self.days)
        if not self.ready:
            parts += [self.today] if self.waiting is None else [self.waiting, self.today]
        return merge(parts, MERGED)

    def packed(self) -> Reference:
        """The same with all promoted days before the newest as one, to be kept in less space: it decides alike.

        Days that are one are forgotten at once, when as many have followed as a reference holds.
        """
        if len(self.days) < 3:
            return self
        return self._replace(days=(merge(list(self.days[:-1]), MERGED), self.days[-1]))


def insert(tops: tuple[float, ...], value: float, most: int) -> tuple[float, ...]:
    """``tops`` in descending order with ``value`` among them, at most ``most``."""
    if len(tops) == most and value <= tops[-1]:
        return tops
    value = rounded(value)
    at = len(tops)
    while at and tops[at - 1] < value:
        at -= 1
    return (*tops[:at], value, *tops[at:])[:most]


def remove(tops: tuple[float, ...], value: float) -> tuple[float, ...]:
    """``tops`` without one ``value``, where it stands there."""
    if value not in tops:
        return tops
    at = tops.index(value)
    return tops[:at] + tops[at + 1 :]


def merge(parts: list[BlockMaxima], most: int) -> BlockMaxima:
    """Several as one; at most ``most`` largest values."""
    return BlockMaxima(
        sum(part.n for part in parts),
        tuple(heapq.nlargest(most, (peak for part in parts for peak in part.peaks))),
        tuple(heapq.nlargest(most, (level for part in parts for level in part.levels))),
        sum(part.mean for part in parts),
        sum(part.square for part in parts),
        sum(part.peak for part in parts),
    )


def rounded(value: float) -> float:
    """Five significant digits: a state is stored as text, and small."""
    return float(f"{value:.5g}")


def accept(hour: BlockMaxima, block: Block) -> BlockMaxima:
    """An hour with one block more."""
    return BlockMaxima(
        hour.n + 1,
        insert(hour.peaks, block.peak, MERGED),
        insert(hour.levels, block.level, MERGED),
        hour.mean + block.mean,
        hour.square + block.square,
        hour.peak + block.peak,
    )


def end_hour(reference: Reference, plan: Plan) -> Reference:
    """The whole hour enters; the location follows it; whole days move on through quarantine.

    While learning, the first hour in which far more blocks are louder than all before than chance brings does not
    enter: it may be a fault of single events that the threshold, still far off, has not found. A second one does, for
    a device may well become louder.
    """
    hour, spread = reference.hour, reference.spread
    if not (reference.left_out or reference.ready) and _odds(hour, reference.promoted()) < ODD:
        return reference._replace(hour=BlockMaxima(), left_out=True)
    shift = hour.mean / hour.n
    reach = SLEW * spread
    location = reference.location + min(max(shift, -reach), reach)
    within = math.sqrt(max(hour.square / hour.n - shift * shift, 0.0))
    # Once promoted days alone decide, no more is kept of this one than it will be promoted with.
    most = plan.tops if reference.ready else MERGED
    today = merge([reference.today, hour], most)._replace(mean=0.0, square=0.0, peak=0.0)
    after = reference._replace(
        location=rounded_to(location, spread),
        spread=rounded(0.9 * spread + 0.1 * within) if within > 0.0 else spread,
        ceiling=rounded(0.9 * reference.ceiling + 0.1 * CEILING * hour.peak / hour.n),
        today=today,
        hour=BlockMaxima(),
        day_location=reference.day_location + location,
        day_hours=reference.day_hours + 1,
    )
    return _end_day(after, plan) if today.n >= BLOCKS_PER_DAY else after


def _odds(hour: BlockMaxima, before: BlockMaxima) -> float:
    """At most how likely it is, of exchangeable blocks, that as many of the hour's are louder than all before."""
    louder = sum(peak > before.peaks[0] for peak in hour.peaks)
    return math.pow(hour.n / (hour.n + before.n), louder)


def rounded_to(value: float, spread: float) -> float:
    """``value`` to a millionth of ``spread`` or better."""
    return round(value, max(0, 6 - math.floor(math.log10(spread))))


def _end_day(reference: Reference, plan: Plan) -> Reference:
    today, location = reference.today, reference.day_location / reference.day_hours
    days = reference.days if reference.waiting is None else (*reference.days, reference.waiting)
    moved = abs(location - reference.last_day) > STEADY * reference.spread
    steady = 0 if moved else reference.steady + 1
    # A new place that has proved steady is the baseline from now on.
    settled = reference.drifting and steady >= STEADY_DAYS
    baseline = location if settled or (not reference.days and reference.waiting is None) else reference.baseline
    drifting = not settled and (reference.drifting or abs(location - baseline) > DRIFT * reference.spread)
    after = reference._replace(
        days=days[-plan.days :],
        waiting=today,
        today=BlockMaxima(),
        baseline=rounded_to(baseline, reference.spread),
        day_location=0.0,
        day_hours=0,
        last_day=rounded_to(location, reference.spread),
        steady=steady,
        drifting=drifting,
    )
    return _pruned(after, plan)


def _pruned(reference: Reference, plan: Plan) -> Reference:
    """With the largest few of each whole day, and while learning all of them that are ranked.

    All largest values of a few days may lie in one of them, and fewer of one day than of another would make the tail
    look heavier than it is.
    """
    ranked = BlockMaxima() if reference.ready else reference.promoted()

    def kept(tops: tuple[float, ...], few: int, of: tuple[float, ...]) -> tuple[float, ...]:
        return tops[: max(few, sum(top >= of[-1] for top in tops) if of else 0)]

    def pruned(day: BlockMaxima) -> BlockMaxima:
        # Days that are one keep as many as they would apart.
        few = plan.tops * max(1, day.n // BLOCKS_PER_DAY)
        peaks = kept(day.peaks, few, ranked.peaks)
        return day._replace(peaks=peaks, levels=kept(day.levels, few // 2, ranked.levels))

    waiting = None if reference.waiting is None else pruned(reference.waiting)
    return reference._replace(days=tuple(map(pruned, reference.days)), waiting=waiting)


def seeded(blocks: tuple[tuple[float, float], ...], spread: float) -> Reference:
    """The first hour's reference.

    Args:
        blocks: mean and peak of each block.
        spread: standard deviation of the scores, > 0.
    """
    location = rounded_to(sum(mean for mean, _ in blocks) / len(blocks), spread)
    peaks = sorted((rounded(peak - location) for _, peak in blocks), reverse=True)
    levels = sorted((rounded(mean - location) for mean, _ in blocks), reverse=True)
    first = BlockMaxima(len(blocks), tuple(peaks[:MERGED]), tuple(levels[:MERGED]))
    return Reference(
        location=location,
        spread=rounded(spread),
        ceiling=rounded(max(CEILING * sum(peaks) / len(peaks), spread)),
        days=(),
        waiting=None,
        today=first,
        hour=BlockMaxima(),
        baseline=location,
        day_location=location,
        day_hours=1,
        last_day=location,
    )
