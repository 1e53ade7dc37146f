"""Warm-up: limits from single scores during a device's first hour, before there are enough blocks to rank."""

from __future__ import annotations

import math
from typing import NamedTuple

from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_DAY, READY_DAYS, BudgetPlan
from processors.core.threshold.limits import UNREACHABLE, Limits, Prior, clamp_to_prior
from processors.core.threshold.own_limits import CEILING_SPREADS, LEVEL_SPREADS, PEAK_SHAPE
from processors.core.threshold.reference import insert_maximum, round_significant
from processors.core.threshold.tail_extrapolation import Rank, excess_quantile, extreme_value_index, weissman_quantile

MIN_SCORES = 8
"""Scores before relative scores have a threshold."""

_MAX_MAXIMA = 24
_QUARANTINE_SCORES = 8
_STALL_NS = 10 * BLOCK_NS
_REFRESH_EACH_SCORES = 120
_FEW_SCORES = 60
_MAX_CORRELATION = 0.9
_MIN_LEVEL_BLOCKS = 10
_RANK = Rank(1, 12.0)
_CHANCE_CEILING = 1.05
_MIN_SPREADS = 3.0
# Windows of a machine that count as one independent observation: its sound wanders for seconds, and windows overlap.
_WINDOWS_EACH = 5.0
# Of the normal distribution: one of four hundred independent observations lies above it.
_QUANTILE = 2.8
_PEAK_INDEX_PRIOR, _LEVEL_INDEX_PRIOR, _INDEX_PRIOR_WEIGHT = 0.3, 0.25, 6.0


class WarmUp(NamedTuple):
    """The statistics of a device's first hour.

    Attributes:
        n: scores in the statistics.
        mean, squared_deviations: their mean, and sum of squared deviations from it; clipped at the threshold.
        lag_products: sum of products of successive scores' deviations from the mean.
        last: the latest score in the statistics.
        maxima: the largest confirmed scores, in descending order.
        quarantine: the latest (score, confirmed score), not yet in the statistics: a fault that grows over seconds
            would otherwise raise the threshold ahead of itself.
        block_sum, block_scores, block_peak: of the current block: sum and number of scores, largest confirmed score.
        blocks: mean and peak of each complete block.
        observed_ns, accepted_ns: audio observed since the beginning, and audio that entered the statistics.
    """

    n: int = 0
    mean: float = 0.0
    squared_deviations: float = 0.0
    lag_products: float = 0.0
    last: float = 0.0
    maxima: tuple[float, ...] = ()
    quarantine: tuple[tuple[float, float], ...] = ()
    block_sum: float = 0.0
    block_scores: int = 0
    block_peak: float = -UNREACHABLE
    blocks: tuple[tuple[float, float], ...] = ()
    observed_ns: int = 0
    accepted_ns: int = 0

    @property
    def is_stalled(self) -> bool:
        """Whether much more audio was rejected as abnormal than accepted: then too little was accepted."""
        return self.observed_ns - self.accepted_ns > max(_STALL_NS, 3 * self.accepted_ns)

    @property
    def autocorrelation_time(self) -> float:
        """Scores per independent score: (1 + phi) / (1 - phi), phi the correlation at lag one."""
        phi = 0.0
        if self.squared_deviations > 0.0:
            phi = min(max(self.lag_products / self.squared_deviations, 0.0), _MAX_CORRELATION)
        return (1.0 + phi) / (1.0 - phi)

    @property
    def spread(self) -> float:
        """Standard deviation of the scores, > 0."""
        return max(math.sqrt(self.squared_deviations / self.n) if self.n else 0.0, 1e-9)


def add_score(warm_up: WarmUp, threshold: float, score: float, confirmed: float, step_ns: int) -> WarmUp:
    """The warm-up with one more score; it leaves quarantine at once before there is a threshold, later in its turn."""
    # Unpacked and rebuilt: ``_replace`` would take half of the time of a device's first hour.
    (
        n,
        mean,
        squared_deviations,
        lag_products,
        last,
        maxima,
        quarantine,
        block_sum,
        block_scores,
        block_peak,
        blocks,
        observed_ns,
        accepted_ns,
    ) = warm_up
    clipped = score if score < threshold else threshold
    quarantine = (*quarantine, (clipped, confirmed))
    if n < MIN_SCORES or len(quarantine) > _QUARANTINE_SCORES:
        first, first_confirmed = quarantine[0]
        quarantine = quarantine[1:]
        before, deviation = n, first - mean
        n += 1
        mean += deviation / n
        squared_deviations += deviation * (first - mean)
        lag_products += (first - mean) * (last - mean) if before else 0.0
        last = first
        if len(maxima) < _MAX_MAXIMA or first_confirmed > maxima[-1]:
            maxima = insert_maximum(maxima, first_confirmed, _MAX_MAXIMA)
    fields = (
        n,
        mean,
        squared_deviations,
        lag_products,
        last,
        maxima,
        quarantine,
        block_sum + clipped,
        block_scores + 1,
        confirmed if confirmed > block_peak else block_peak,
        blocks,
        observed_ns + step_ns,
        accepted_ns + step_ns,
    )
    return tuple.__new__(WarmUp, fields)


def end_block(warm_up: WarmUp, *, clean: bool) -> WarmUp:
    """The warm-up after the current block; only a clean one is counted."""
    blocks = warm_up.blocks
    if clean and warm_up.block_scores:
        mean = warm_up.block_sum / warm_up.block_scores
        blocks = (*blocks, (round_significant(mean), round_significant(warm_up.block_peak)))
    return warm_up._replace(block_sum=0.0, block_scores=0, block_peak=-UNREACHABLE, blocks=blocks)


def add_episode_peak(warm_up: WarmUp, limits: Limits, peak: float) -> WarmUp:
    """The warm-up with the peak of an episode, relative to the location and clipped."""
    largest = warm_up.maxima[0] if warm_up.maxima else limits.location
    ceiling = limits.location + _CHANCE_CEILING * (largest - limits.location)
    return warm_up._replace(maxima=insert_maximum(warm_up.maxima, min(limits.location + peak, ceiling), _MAX_MAXIMA))


def limits_are_due(warm_up: WarmUp, before: WarmUp) -> bool:
    """Whether the limits must be computed again: after each score at first, later when the maxima have changed."""
    return warm_up.n <= _REFRESH_EACH_SCORES or (
        warm_up.maxima is not before.maxima and warm_up.maxima != before.maxima
    )


def student_quantile(degrees: float, z: float = _QUANTILE) -> float:
    """The quantile of Student's t distribution where the normal distribution's is ``z`` (Wallace, 1959).

    A spread estimated from few independent scores is uncertain, and a threshold a fixed number of them away is
    exceeded far too often: what 2.8 true deviations are, are six of a spread with three degrees of freedom.

    Args:
        degrees: of freedom, above 0.1.
        z: quantile of the standard normal distribution.

    Returns:
        sqrt(degrees * (exp(z^2 / degrees) - 1)), which is ``z`` for many.
    """
    return math.sqrt(degrees * math.expm1(z * z / degrees))


def warm_up_limits(warm_up: WarmUp, plan: BudgetPlan, prior: Prior) -> Limits:
    """The limits of a device in its first hour."""
    progress = round(len(warm_up.blocks) / (READY_DAYS * BLOCKS_PER_DAY), 4)
    if warm_up.n < MIN_SCORES:
        if prior.has_model_threshold:
            peak = prior.min_threshold - warm_up.mean
            return Limits(location=warm_up.mean, peak=peak, calibration_progress=progress)
        return Limits(location=warm_up.mean, calibration_progress=progress)
    n, spread = warm_up.n, warm_up.spread
    maxima = [value - warm_up.mean for value in warm_up.maxima]
    if prior.follows_device and n >= _FEW_SCORES:
        peak = excess_quantile(maxima, n, _RANK.extrapolation, PEAK_SHAPE)
    elif prior.has_model_threshold:
        peak = maxima[0]
    elif prior.peak > 0.0:
        peak = max(maxima[0], prior.peak * spread * (1.0 + 4.0 / n))
    else:
        index = _PEAK_INDEX_PRIOR
        if n >= _FEW_SCORES:
            index = extreme_value_index(maxima, n, _PEAK_INDEX_PRIOR, _INDEX_PRIOR_WEIGHT)
        dependence = 1.0 + (warm_up.autocorrelation_time - 1.0) * min(1.0, _FEW_SCORES / n)
        rank = Rank(1, _RANK.extrapolation * dependence)
        peak = weissman_quantile(maxima, rank, index) * (1.0 + MIN_SCORES / n)
    least = _MIN_SPREADS if prior.has_model_threshold else max(_MIN_SPREADS, student_quantile(n / _WINDOWS_EACH))
    peak = max(peak, prior.floor, least * spread)
    level = UNREACHABLE
    if plan.level_rate > 0.0 and len(warm_up.blocks) >= _MIN_LEVEL_BLOCKS:
        means = sorted((mean - warm_up.mean for mean, _ in warm_up.blocks), reverse=True)
        index = extreme_value_index(means, len(means), _LEVEL_INDEX_PRIOR, _INDEX_PRIOR_WEIGHT)
        level = weissman_quantile(means, _RANK, index)
        level = max(level, prior.level * spread, spread, prior.floor / 3.0, LEVEL_SPREADS * prior.model_spread)
    peak = clamp_to_prior(peak, warm_up.mean, prior)
    ceiling = CEILING_SPREADS * prior.model_spread if prior.follows_device else peak
    return Limits(warm_up.mean, ceiling, peak, level, n, tuple(maxima[::-1]), progress)
