"""What new sound is compared with: thresholds from a device's reference, or from what stands in for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from processors.core.threshold.budget import BLOCKS_PER_DAY, READY_DAYS, Plan
from processors.core.threshold.reference import Reference, rounded
from processors.core.threshold.tail_extrapolation import (
    MAX_EXTRAPOLATION,
    MAX_LEVEL_EXTRAPOLATION,
    extrapolated_quantile,
    rank,
    tail_index,
)
from schemas.manifest import Calibration

FAR = 1e300
"""A threshold nothing reaches: there is none. Finite, so that it can be stored as JSON."""

PEAK_INDEX, LEVEL_INDEX = 0.25, 0.15
_WEIGHT = 3.0
_FLOOR = 3.0
_HEAD_ROOM = 1.0
_OWN_ROOM = 6.0
_CLIP_RARITY, _CLIP_INDEX = 2.0, 0.3


class Prior(NamedTuple):
    """What is known before a device has been heard.

    Attributes:
        floor: the least distance of a threshold from the location, in the score's unit, >= 0.
        peak, level: distance of the thresholds in spreads, from devices of the same kind; 0 while unknown.
        low, high: where the scores mean the same everywhere, the threshold lies between these scores.
    """

    floor: float = 0.0
    peak: float = 0.0
    level: float = 0.0
    low: float = -FAR
    high: float = FAR

    @property
    def calibrated(self) -> bool:
        """Whether the model says where the threshold lies: then nothing is foretold from what was heard so far."""
        return self.low > -FAR


UNKNOWN = Prior()


class Limits(NamedTuple):
    """What the next score is compared with; all distances are from the location.

    Attributes:
        location: where scores usually lie.
        ceiling: where scores are cut for the level, > 0.
        peak, level: thresholds; :data:`FAR` where there is none.
        n: blocks ranked against.
        peaks: the reference's largest peaks, in ascending order.
        progress: of learning, 0 to 1.
    """

    location: float = 0.0
    ceiling: float = FAR
    peak: float = FAR
    level: float = FAR
    n: int = 0
    peaks: tuple[float, ...] = ()
    progress: float = 0.0


def prior_of(calibration: Calibration, references: Sequence[Reference] = (), plan: Plan | None = None) -> Prior:
    """What a model's calibration and devices of the same kind say beforehand.

    Args:
        calibration: of the model. The threshold of absolute scores holds from the first window and a device raises it
            by one spread at most, so that no noise makes a detector deaf; that of a device's own model by six, which
            is about twice as far off as it was calibrated.
        references: of devices that run the same model: the fleet's, or those the model was calibrated on.
        plan: the arithmetic; needed with ``references``.
    """
    if calibration.transfer == "own":
        return Prior(low=calibration.threshold, high=calibration.threshold + _OWN_ROOM * calibration.spread)
    if calibration.transfer == "absolute":
        return Prior(low=calibration.threshold, high=calibration.threshold + _HEAD_ROOM * calibration.spread)
    heard = [reference for reference in references if reference.blocks >= BLOCKS_PER_DAY]
    if not heard or plan is None:
        return Prior(floor=_FLOOR * calibration.spread)
    n, peaks, levels = 0, list[float](), list[float]()
    for reference in heard:
        own = reference.promoted()
        n += own.n
        peaks += [peak / reference.spread for peak in own.peaks]
        levels += [level / reference.spread for level in own.levels]
    return Prior(
        floor=_FLOOR * calibration.spread,
        peak=rounded(beyond(sorted(peaks, reverse=True), n, plan.peak_rate, PEAK_INDEX)),
        level=rounded(beyond(sorted(levels, reverse=True), n, plan.level_rate, LEVEL_INDEX, MAX_LEVEL_EXTRAPOLATION)),
    )


def beyond(tops: Sequence[float], n: int, rate: float, index: float, coldest: float = MAX_EXTRAPOLATION) -> float:
    """The value that a block exceeds at ``rate``, from the largest ``tops`` of ``n`` blocks."""
    place = rank(n, rate, coldest)
    if place.beyond == 1.0:
        return tops[min(place.k, len(tops)) - 1]
    return extrapolated_quantile(tops, n, place.beyond, tail_index(tops, n, index, _WEIGHT))


def clip(tops: Sequence[float], n: int, index: float) -> float:
    """The most that chance may enter above: where exceedances are half as likely as of the largest of ``tops``.

    At most 1.23 times as far from the usual score, however heavy the tail; about 1.05 times where it is light.
    """
    return tops[0] * max(1.0, math.pow(_CLIP_RARITY, min(tail_index(tops, n, index, _WEIGHT), _CLIP_INDEX)))


def limits_of(reference: Reference, plan: Plan, prior: Prior) -> Limits:
    """The thresholds of a device whose first hour is over."""
    heard = reference.promoted()
    first_day = heard.n < BLOCKS_PER_DAY
    times = plan.learning if reference.blocks < READY_DAYS * BLOCKS_PER_DAY else 1.0
    if first_day and prior.peak > 0.0:
        peak = max(heard.peaks[0], prior.peak * reference.spread)
    else:
        peak = beyond(
            heard.peaks, heard.n, times * plan.peak_rate, PEAK_INDEX, 1.0 if prior.calibrated else MAX_EXTRAPOLATION
        )
    if plan.level_rate == 0.0 or not heard.levels:
        level = FAR
    elif first_day and prior.level > 0.0:
        level = max(heard.levels[0], prior.level * reference.spread)
    else:
        level = beyond(heard.levels, heard.n, times * plan.level_rate, LEVEL_INDEX, MAX_LEVEL_EXTRAPOLATION)
    return Limits(
        location=reference.location,
        ceiling=reference.ceiling,
        peak=bounded(max(peak, prior.floor), reference.location, prior),
        level=max(level, prior.floor / 3.0, 0.05 * reference.spread),
        n=heard.n,
        peaks=heard.peaks[::-1],
        progress=min(1.0, round(reference.blocks / (READY_DAYS * BLOCKS_PER_DAY), 4)),
    )


def bounded(peak: float, location: float, prior: Prior) -> float:
    """A distance whose threshold lies where the model's calibration allows it."""
    return min(max(peak, prior.low - location), prior.high - location)
