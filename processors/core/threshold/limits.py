"""Limits: the thresholds that new scores are compared with, from a device's reference or from a prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from processors.core.threshold.budget import BLOCKS_PER_DAY, READY_DAYS, BudgetPlan
from processors.core.threshold.own_limits import CEILING_SPREADS, own_level, own_peak
from processors.core.threshold.reference import Reference, round_significant
from processors.core.threshold.tail_extrapolation import (
    MAX_EXTRAPOLATION,
    MAX_LEVEL_EXTRAPOLATION,
    extrapolated_quantile,
    extreme_value_index,
    threshold_rank,
)
from schemas.manifest import Calibration

UNREACHABLE = 1e300
"""Stands for "no threshold". Finite, so that it can be stored as JSON."""

PEAK_INDEX_PRIOR, LEVEL_INDEX_PRIOR = 0.25, 0.15
_INDEX_PRIOR_WEIGHT = 3.0
_FLOOR_SPREADS = 3.0
_ABSOLUTE_HEADROOM = 1.0
_OWN_HEADROOM = 6.0
_CLIP_RARITY, _MAX_CLIP_INDEX = 2.0, 0.3


class Prior(NamedTuple):
    """What is known before a device is observed.

    Attributes:
        floor: the least distance of a threshold from the location, in the score's unit, >= 0.
        peak, level: distance of the thresholds in spreads, from devices of the same kind; 0 while unknown.
        min_threshold, max_threshold: where scores mean the same on every device, the threshold is between these scores.
            That of a device's own model is there in the first hour only.
        model_spread: of a device's own model, its calibrated spread, > 0; 0 for all others.
    """

    floor: float = 0.0
    peak: float = 0.0
    level: float = 0.0
    min_threshold: float = -UNREACHABLE
    max_threshold: float = UNREACHABLE
    model_spread: float = 0.0

    @property
    def follows_device(self) -> bool:
        """Whether the model is the device's own; see :mod:`processors.core.threshold.own_limits`."""
        return self.model_spread > 0.0

    @property
    def has_model_threshold(self) -> bool:
        """Whether the model brings a threshold of its own: then nothing is extrapolated from the observed scores."""
        return self.min_threshold > -UNREACHABLE


NO_PRIOR = Prior()


class Limits(NamedTuple):
    """The limits of the next score; all distances are from the location.

    Attributes:
        location: the usual score.
        ceiling: where scores are clipped for the level, > 0.
        peak, level: thresholds; :data:`UNREACHABLE` for none.
        reference_blocks: number of blocks ranked against.
        reference_peaks: the reference's largest peaks, in ascending order.
        calibration_progress: 0 to 1.
    """

    location: float = 0.0
    ceiling: float = UNREACHABLE
    peak: float = UNREACHABLE
    level: float = UNREACHABLE
    reference_blocks: int = 0
    reference_peaks: tuple[float, ...] = ()
    calibration_progress: float = 0.0


def prior_of(calibration: Calibration, references: Sequence[Reference] = (), plan: BudgetPlan | None = None) -> Prior:
    """The prior from a model's calibration and from devices of the same kind.

    Args:
        calibration: of the model. The threshold of absolute scores applies from the first window and a device raises
            it by one spread at most, so that no noise makes a detector insensitive; that of a device's own model by
            six, which is about twice its calibrated distance, until an hour of the device is known.
        references: of devices that run the same model: the fleet's, or those the model was calibrated on.
        plan: the budget's; needed with ``references``.
    """
    threshold, spread = calibration.threshold, calibration.spread
    if calibration.transfer == "own":
        headroom = _OWN_HEADROOM * spread
        return Prior(min_threshold=threshold, max_threshold=threshold + headroom, model_spread=spread)
    if calibration.transfer == "absolute":
        return Prior(min_threshold=threshold, max_threshold=threshold + _ABSOLUTE_HEADROOM * spread)
    references = [reference for reference in references if reference.blocks >= BLOCKS_PER_DAY]
    if not references or plan is None:
        return Prior(floor=_FLOOR_SPREADS * spread)
    n, peaks, levels = 0, list[float](), list[float]()
    for reference in references:
        ranked = reference.ranked_maxima()
        n += ranked.blocks
        peaks += [peak / reference.spread for peak in ranked.peaks]
        levels += [level / reference.spread for level in ranked.levels]
    peaks.sort(reverse=True)
    levels.sort(reverse=True)
    peak = exceedance_quantile(peaks, n, plan.peak_rate, PEAK_INDEX_PRIOR)
    level = exceedance_quantile(levels, n, plan.level_rate, LEVEL_INDEX_PRIOR, MAX_LEVEL_EXTRAPOLATION)
    return Prior(floor=_FLOOR_SPREADS * spread, peak=round_significant(peak), level=round_significant(level))


def exceedance_quantile(
    maxima: Sequence[float], n: int, rate: float, index_prior: float, max_extrapolation: float = MAX_EXTRAPOLATION
) -> float:
    """The value that a block exceeds at ``rate``, from the ``maxima`` of ``n`` blocks."""
    rank = threshold_rank(n, rate, max_extrapolation)
    if rank.extrapolation == 1.0:
        return maxima[min(rank.k, len(maxima)) - 1]
    index = extreme_value_index(maxima, n, index_prior, _INDEX_PRIOR_WEIGHT)
    return extrapolated_quantile(maxima, n, rank.extrapolation, index)


def chance_ceiling(maxima: Sequence[float], n: int, index_prior: float) -> float:
    """The largest value that a short episode may add: exceeded half as often as the largest of ``maxima``.

    At most 1.23 times as far from the location, however heavy the tail; about 1.05 times where it is light.
    """
    index = extreme_value_index(maxima, n, index_prior, _INDEX_PRIOR_WEIGHT)
    return maxima[0] * max(1.0, math.pow(_CLIP_RARITY, min(index, _MAX_CLIP_INDEX)))


def limits_of(reference: Reference, plan: BudgetPlan, prior: Prior) -> Limits:
    """The limits of a device after its warm-up."""
    ranked = reference.ranked_maxima()
    first_day = ranked.blocks < BLOCKS_PER_DAY
    allowance = plan.calibration_allowance if reference.blocks < READY_DAYS * BLOCKS_PER_DAY else 1.0
    if prior.follows_device:
        prior_peak = prior.min_threshold - reference.location
        peak = own_peak(ranked.peaks, ranked.blocks, allowance * plan.peak_rate, prior_peak)
    elif first_day and prior.peak > 0.0:
        peak = max(ranked.peaks[0], prior.peak * reference.spread)
    else:
        max_extrapolation = 1.0 if prior.has_model_threshold else MAX_EXTRAPOLATION
        rate = allowance * plan.peak_rate
        peak = exceedance_quantile(ranked.peaks, ranked.blocks, rate, PEAK_INDEX_PRIOR, max_extrapolation)
    if plan.level_rate == 0.0 or not ranked.levels:
        level = UNREACHABLE
    elif prior.follows_device:
        level = own_level(ranked.levels, ranked.blocks, allowance * plan.level_rate, prior.model_spread)
    elif first_day and prior.level > 0.0:
        level = max(ranked.levels[0], prior.level * reference.spread)
    else:
        rate = allowance * plan.level_rate
        level = exceedance_quantile(ranked.levels, ranked.blocks, rate, LEVEL_INDEX_PRIOR, MAX_LEVEL_EXTRAPOLATION)
    return Limits(
        location=reference.location,
        ceiling=max(reference.ceiling, CEILING_SPREADS * prior.model_spread),
        peak=peak if prior.follows_device else clamp_to_prior(max(peak, prior.floor), reference.location, prior),
        level=max(level, prior.floor / 3.0, 0.05 * reference.spread),
        reference_blocks=ranked.blocks,
        reference_peaks=ranked.peaks[::-1],
        calibration_progress=min(1.0, round(reference.blocks / (READY_DAYS * BLOCKS_PER_DAY), 4)),
    )


def clamp_to_prior(peak: float, location: float, prior: Prior) -> float:
    """A threshold's distance from the location, clamped so that the threshold is within the prior's range."""
    return min(max(peak, prior.min_threshold - location), prior.max_threshold - location)
