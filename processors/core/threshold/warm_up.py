"""A device's first hour: thresholds from single scores, before there are blocks enough to rank."""

from __future__ import annotations

import math
from typing import NamedTuple

from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_DAY, READY_DAYS, Plan
from processors.core.threshold.limits import FAR, Limits, Prior, bounded
from processors.core.threshold.reference import insert, rounded
from processors.core.threshold.tail_extrapolation import Rank, quantile, tail_index

WARM_UP = 8
"""Scores before a relative score has a threshold."""

_TOPS = 24
_QUARANTINE = 8
_PATIENCE_NS = 10 * BLOCK_NS
_SINGLY = 120
_FEW = 60
_MOST_ALIKE = 0.9
_LEVEL_BLOCKS = 10
_PLACE = Rank(1, 12.0)
_CLIP = 1.05
_PEAK_INDEX, _LEVEL_INDEX, _WEIGHT = 0.3, 0.25, 6.0


class WarmUp(NamedTuple):
    """What is known of a device in its first hour.

    Attributes:
        n: scores learned from.
        mean, squares: their mean, and sum of squared distances from it; scores are cut at the threshold.
        lag: sum of products of neighbours' distances from the mean.
        last: the last score learned from.
        tops: the largest confirmed scores, in descending order.
        waiting: the latest (score, confirmed score), not yet learned from: a fault that grows over seconds would
            otherwise push the threshold ahead of itself.
        total, scores, peak: of the block under way: sum and number of scores, largest confirmed score.
        blocks: mean and peak of each block that is over.
        passed_ns, learned_ns: sound heard since the beginning, and learned from.
    """

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    lag: float = 0.0
    last: float = 0.0
    tops: tuple[float, ...] = ()
    waiting: tuple[tuple[float, float], ...] = ()
    total: float = 0.0
    scores: int = 0
    peak: float = -FAR
    blocks: tuple[tuple[float, float], ...] = ()
    passed_ns: int = 0
    learned_ns: int = 0

    @property
    def outweighed(self) -> bool:
        """Whether much more sound was called abnormal than was ever learned: then too little was learned."""
        return self.passed_ns - self.learned_ns > max(_PATIENCE_NS, 3 * self.learned_ns)

    @property
    def alikeness(self) -> float:
        """How many neighbouring scores say as much as one: (1 + phi) / (1 - phi), phi the correlation at lag one."""
        phi = min(max(self.lag / self.squares, 0.0), _MOST_ALIKE) if self.squares > 0.0 else 0.0
        return (1.0 + phi) / (1.0 - phi)

    @property
    def spread(self) -> float:
        """Standard deviation of the scores, > 0."""
        return max(math.sqrt(self.squares / self.n) if self.n else 0.0, 1e-9)


def heard(early: WarmUp, threshold: float, score: float, confirmed: float, step_ns: int) -> WarmUp:
    """One score later; it is learned from at once before there is a threshold, afterwards in its turn."""
    # Unpacked and built anew: ``_replace`` would take half of the time of a device's first hour.
    n, mean, squares, lag, last, tops, waiting, total, scores, peak, blocks, passed_ns, learned_ns = early
    cut = score if score < threshold else threshold
    waiting = (*waiting, (cut, confirmed))
    if n < WARM_UP or len(waiting) > _QUARANTINE:
        first, top = waiting[0]
        waiting = waiting[1:]
        before, step = n, first - mean
        n += 1
        mean += step / n
        squares += step * (first - mean)
        lag += (first - mean) * (last - mean) if before else 0.0
        last = first
        if len(tops) < _TOPS or top > tops[-1]:
            tops = insert(tops, top, _TOPS)
    fields = (
        n,
        mean,
        squares,
        lag,
        last,
        tops,
        waiting,
        total + cut,
        scores + 1,
        confirmed if confirmed > peak else peak,
        blocks,
        passed_ns + step_ns,
        learned_ns + step_ns,
    )
    return tuple.__new__(WarmUp, fields)


def end_block(early: WarmUp, *, clean: bool) -> WarmUp:
    """The block under way is over; only a clean one counts."""
    blocks = early.blocks
    if clean and early.scores:
        blocks = (*blocks, (rounded(early.total / early.scores), rounded(early.peak)))
    return early._replace(total=0.0, scores=0, peak=-FAR, blocks=blocks)


def with_chance(early: WarmUp, limits: Limits, peak: float) -> WarmUp:
    """With the peak of a short, single episode, clipped."""
    most = limits.location + _CLIP * ((early.tops[0] if early.tops else limits.location) - limits.location)
    return early._replace(tops=insert(early.tops, min(limits.location + peak, most), _TOPS))


def is_due(early: WarmUp, before: WarmUp) -> bool:
    """Whether thresholds are to be found anew: after each score at first, later when it may matter."""
    return early.n <= _SINGLY or (early.tops is not before.tops and early.tops != before.tops)


def first_limits(early: WarmUp, plan: Plan, prior: Prior) -> Limits:
    """The thresholds of a device in its first hour."""
    progress = round(len(early.blocks) / (READY_DAYS * BLOCKS_PER_DAY), 4)
    if early.n < WARM_UP:
        if prior.calibrated:
            return Limits(location=early.mean, peak=prior.low - early.mean, progress=progress)
        return Limits(location=early.mean, progress=progress)
    spread = early.spread
    tops = [top - early.mean for top in early.tops]
    if prior.calibrated:
        peak = tops[0]
    elif prior.peak > 0.0:
        peak = max(tops[0], prior.peak * spread * (1.0 + 4.0 / early.n))
    else:
        xi = _PEAK_INDEX if early.n < _FEW else tail_index(tops, early.n, _PEAK_INDEX, _WEIGHT)
        place = Rank(1, _PLACE.beyond * (1.0 + (early.alikeness - 1.0) * min(1.0, _FEW / early.n)))
        peak = quantile(tops, place, xi) * (1.0 + WARM_UP / early.n)
    peak = max(peak, prior.floor, 3.0 * spread)
    level = FAR
    if plan.level_rate > 0.0 and len(early.blocks) >= _LEVEL_BLOCKS:
        means = sorted((mean - early.mean for mean, _ in early.blocks), reverse=True)
        level = quantile(means, _PLACE, tail_index(means, len(means), _LEVEL_INDEX, _WEIGHT))
        level = max(level, prior.level * spread, spread, prior.floor / 3.0)
    peak = bounded(peak, early.mean, prior)
    return Limits(early.mean, peak, peak, level, early.n, tuple(tops[::-1]), progress)
