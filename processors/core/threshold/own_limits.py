"""Limits of a device's own model: the model's threshold is a prior that the device's own blocks outweigh.

A model trained on the device knows what its scores mean, so it has a threshold from the first window on. It rests on
minutes of sound; the device is observed for hours. As in any shrinkage estimate, the prior counts as a number of
observations: as :data:`PRIOR_BLOCKS` blocks. After an hour its threshold and the device's own quantile weigh the same,
after a day the prior weighs a twenty-fifth.

A level is the cumulative sum of scores (Page, Biometrika 41, 1954), clipped above and with an allowance below, and not
cut at the end of a block: a fault that lasts for a minute mostly lies in two blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from processors.core.threshold.tail_extrapolation import (
    MAX_EXTRAPOLATION,
    excess_quantile,
    threshold_rank,
)

PRIOR_BLOCKS = 60
"""Blocks that the model's threshold counts as."""
LEVEL_SPREADS = 1.5
"""The prior's level, in calibrated spreads: a quarter of the distance that recipes put between usual and threshold."""
CEILING_SPREADS = 4.5
"""Where scores are clipped for the level at least, in calibrated spreads above the usual score."""
ALLOWANCE = 1.0 / 6.0
"""Share of the ceiling that is subtracted from every score before it is summed."""
PEAK_SHAPE, LEVEL_SHAPE = 0.2, 0.0
"""Shapes of the tails: single scores vary more than a normal distribution has it, sums of clipped scores do not."""


def own_peak(peaks: Sequence[float], n: int, rate: float, prior: float) -> float:
    """The peaks' threshold, relative to the location.

    Args:
        peaks: the largest of the reference, in descending order; at least one.
        n: number of blocks they are the largest of.
        rate: probability with which a block may exceed it.
        prior: distance of the model's threshold from the location.
    """
    return _shrunk(_quantile(peaks, n, rate, PEAK_SHAPE), n, prior)


def own_level(levels: Sequence[float], n: int, rate: float, spread: float) -> float:
    """The levels' threshold; as :func:`own_peak`, ``spread`` is the model's calibrated one."""
    return _shrunk(_quantile(levels, n, rate, LEVEL_SHAPE), n, LEVEL_SPREADS * spread)


def _shrunk(quantile: float, n: int, prior: float) -> float:
    """The mean of both by their numbers of blocks. A prior below the device's quantile is refuted, and not used."""
    share = n / (n + PRIOR_BLOCKS)
    return share * quantile + (1.0 - share) * max(prior, quantile)


def _quantile(maxima: Sequence[float], n: int, rate: float, shape: float) -> float:
    rank = threshold_rank(n, rate, MAX_EXTRAPOLATION)
    if rank.extrapolation == 1.0:
        return maxima[min(rank.k, len(maxima)) - 1]
    return excess_quantile(maxima, n, rank.extrapolation, shape)
