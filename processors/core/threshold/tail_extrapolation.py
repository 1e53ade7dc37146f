"""Tail extrapolation: which quantile of the block maxima is the threshold, and its value beyond the observed range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

MAX_EXTRAPOLATION = 8.0
"""A threshold is extrapolated to at most so many times rarer than the largest value; see :func:`threshold_rank`."""

MAX_LEVEL_EXTRAPOLATION = 50.0
"""The same for levels: they are sums, so their tails are light, and extrapolating further costs little."""

_MAX_TAIL_SIZE = 24
_INNER_WEIGHT = 0.5
"""Weight of the inner extrapolation at :data:`MAX_EXTRAPOLATION`; see :func:`extrapolated_quantile`."""


class Rank(NamedTuple):
    """Which value of a reference is the threshold.

    Attributes:
        k: the k-th largest.
        extrapolation: how many times rarer than that value an exceedance must be, >= 1; it is 1 once the reference is
            long enough, and then the rule assumes nothing about the distribution of the scores.
    """

    k: int
    extrapolation: float


def threshold_rank(n: int, rate: float, max_extrapolation: float = MAX_EXTRAPOLATION) -> Rank:
    """The rank that is exceeded at most at ``rate``.

    For exchangeable values P(new > k-th largest of n) <= k / (n + 1), so k = floor(rate * (n + 1)). Where that is 0,
    the largest value is exceeded ``1 / (rate * (n + 1))`` times too often.

    Args:
        n: values in the reference, >= 1.
        rate: probability of an exceedance for each new value, above 0 and below 1.
        max_extrapolation: upper limit of ``Rank.extrapolation``.
    """
    expected = rate * (n + 1)
    if expected >= 1.0:
        return Rank(int(expected), 1.0)
    return Rank(1, min(1.0 / expected, max_extrapolation))


def extreme_value_index(maxima: Sequence[float], n: int, prior: float, weight: float) -> float:
    """The extreme value index: Hill's estimator (Ann. Stat. 3, 1975), shrunk towards a prior while values are few.

    Args:
        maxima: the largest values, in descending order, relative to the location.
        n: number of values they are the largest of.
        prior: index assumed without values, > 0.
        weight: number of values the prior counts as.

    Returns:
        xi, 0.02 to 1: in the tail, a value ten times rarer is 10^xi times as large. One standard error is added.
    """
    m = _tail_size(maxima, n)
    if m == 0:
        return prior
    floor = maxima[m]
    hill = sum([math.log(value / floor) for value in maxima[:m]]) / m
    xi = (prior * weight + hill * m) / (weight + m)
    return min(max(xi * (1.0 + 1.0 / math.sqrt(weight + m)), 0.02), 1.0)


def _tail_size(maxima: Sequence[float], n: int) -> int:
    """How many of the largest values belong to the tail: a tenth at most, and only above a positive value."""
    m = min(n // 10, _MAX_TAIL_SIZE, len(maxima) - 1)
    while m > 0 and maxima[m] <= 0.0:
        m -= 1
    return max(m, 0)


def weissman_quantile(maxima: Sequence[float], rank: Rank, index: float) -> float:
    """The value exceeded ``rank.extrapolation`` times less often than the ``rank.k``-th largest.

    Weissman's extrapolation (J. Am. Stat. Assoc. 73, 1978): x * extrapolation^index.

    Args:
        maxima: the largest values, in descending order, relative to the location; at least one.
        rank: of :func:`threshold_rank`.
        index: of :func:`extreme_value_index`.
    """
    value = maxima[min(rank.k, len(maxima)) - 1]
    return value * rank.extrapolation**index if value > 0.0 else value


def extrapolated_quantile(maxima: Sequence[float], n: int, extrapolation: float, index: float) -> float:
    """The value exceeded ``extrapolation`` times less often than the largest, estimated from several of the maxima.

    A geometric mean of two Weissman extrapolations. The one from the largest value varies from device to device with
    that value. The one from the smallest value of the tail varies less, but extrapolates further, so that errors of
    the index weigh more: where tails are light it is too high. A quantile close to the largest value is extrapolated
    from the largest value alone; the weight of the inner extrapolation grows with the distance, up to a half. The
    result is never below the largest value.

    Args:
        maxima: the largest values, in descending order, relative to the location; at least one.
        n: number of values they are the largest of.
        extrapolation: >= 1.
        index: of :func:`extreme_value_index`.
    """
    outer = weissman_quantile(maxima, Rank(1, extrapolation), index)
    if (m := _tail_size(maxima, n)) == 0:
        return outer
    inner = weissman_quantile(maxima, Rank(m + 1, (m + 1) * extrapolation), index)
    weight = _INNER_WEIGHT * min(1.0, math.log(extrapolation) / math.log(MAX_EXTRAPOLATION))
    return max(maxima[0], math.pow(outer, 1.0 - weight) * math.pow(inner, weight))


def excess_quantile(maxima: Sequence[float], n: int, extrapolation: float, shape: float) -> float:
    """As :func:`extrapolated_quantile`, from the mean excess of the tail and a given shape.

    The excesses over the smallest value of the tail follow a generalised Pareto distribution (Pickands, Ann. Stat. 3,
    1975), whose mean gives its scale. The result moves with the scores when a constant is added to them, as decibels
    ask for, and does not depend on where the usual score lies; Hill's estimator needs ratios, and finds a heavy tail
    where normal maxima lie near the usual score.

    Args:
        maxima: the largest values, in descending order; at least one.
        n: number of values they are the largest of.
        extrapolation: >= 1.
        shape: of the tail, 0 to below 1; 0 is exponential.
    """
    m = min(n // 10, _MAX_TAIL_SIZE, len(maxima) - 1)
    if m < 1:
        return maxima[0]
    threshold = maxima[m]
    # One standard error of the mean is added.
    scale = (sum(maxima[:m]) / m - threshold) * (1.0 - shape) * (1.0 + 1.0 / math.sqrt(m))

    def steps(rarity: float) -> float:
        return math.log(rarity) if shape == 0.0 else (math.pow(rarity, shape) - 1.0) / shape

    outer = maxima[0] + (scale + shape * (maxima[0] - threshold)) * steps(extrapolation)
    inner = threshold + scale * steps((m + 1) * extrapolation)
    weight = _INNER_WEIGHT * min(1.0, math.log(extrapolation) / math.log(MAX_EXTRAPOLATION))
    return max(maxima[0], (1.0 - weight) * outer + weight * inner)
