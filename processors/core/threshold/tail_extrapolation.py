"""How far off a threshold stands: the k-th largest of what was heard, or beyond it while too little was heard."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

MAX_EXTRAPOLATION = 8.0
"""At most so many times rarer than anything heard yet a threshold is set; see :func:`rank`."""

MAX_LEVEL_EXTRAPOLATION = 50.0
"""The same for levels: they are sums, so their tails are light, and standing further off costs little."""

_MOST = 24
_FAR = 0.5
"""Weight of the extrapolation from farther in, for what is :data:`MAX_EXTRAPOLATION` times rarer than the largest."""


class Rank(NamedTuple):
    """Which value of a reference is the threshold.

    Attributes:
        k: the k-th largest.
        beyond: how many times rarer than that value an exceedance must be, 1 or more; 1 once the reference is long
            enough, and then the rule makes no assumption about the scores' law.
    """

    k: int
    beyond: float


def rank(n: int, rate: float, coldest: float = MAX_EXTRAPOLATION) -> Rank:
    """The rank that is exceeded at most at ``rate``.

    For exchangeable values P(new > k-th largest of n) <= k / (n + 1), so k = floor(rate * (n + 1)). Where that is 0,
    the largest value is exceeded ``1 / (rate * (n + 1))`` times too often.

    Args:
        n: values in the reference, >= 1.
        rate: probability of an exceedance for each new value, above 0 and below 1.
        coldest: the most that ``beyond`` may be.
    """
    expected = rate * (n + 1)
    if expected >= 1.0:
        return Rank(int(expected), 1.0)
    return Rank(1, min(1.0 / expected, coldest))


def tail_index(tops: Sequence[float], n: int, prior: float, weight: float) -> float:
    """How heavy the tail is: Hill's estimator (Ann. Stat. 3, 1975), drawn towards a prior while values are few.

    Args:
        tops: the largest values, in descending order, relative to the usual value.
        n: of how many they are the largest.
        prior: what is assumed without values, > 0.
        weight: how many values the prior counts as.

    Returns:
        xi >= 0.02: far out, a probability ten times smaller lies 10^xi times as far off. One standard error is added.
    """
    m = _tail(tops, n)
    if m == 0:
        return prior
    floor = tops[m]
    hill = sum([math.log(top / floor) for top in tops[:m]]) / m
    xi = (prior * weight + hill * m) / (weight + m)
    return min(max(xi * (1.0 + 1.0 / math.sqrt(weight + m)), 0.02), 1.0)


def _tail(tops: Sequence[float], n: int) -> int:
    """How many of the largest values tell of the tail: those above a positive one, few of all."""
    m = min(n // 10, _MOST, len(tops) - 1)
    while m > 0 and tops[m] <= 0.0:
        m -= 1
    return max(m, 0)


def quantile(tops: Sequence[float], place: Rank, xi: float) -> float:
    """The value exceeded ``place.beyond`` times less often than the ``place.k``-th largest.

    Weissman's extrapolation (J. Am. Stat. Assoc. 73, 1978): x * beyond^xi.

    Args:
        tops: the largest values, in descending order, relative to the usual value; at least one.
        place: of :func:`rank`.
        xi: of :func:`tail_index`.
    """
    top = tops[min(place.k, len(tops)) - 1]
    return top * place.beyond**xi if top > 0.0 else top


def extrapolated_quantile(tops: Sequence[float], n: int, beyond: float, xi: float) -> float:
    """The value exceeded ``beyond`` times less often than the largest, from more than the largest.

    A geometric mean of Weissman's extrapolations from the largest value, which lies high on one device and low on the
    next, and from the smallest of those the index is found from, which lies alike on all but is farther off, so that
    the index's error weighs more: where tails are light it says too much. What is to be extrapolated_quantile not far
    beyond the largest follows from that alone; the farther, the more the other counts, up to a half. Never below the
    largest.

    Args:
        tops: the largest values, in descending order, relative to the usual value; at least one.
        n: of how many they are the largest.
        beyond: 1 or more.
        xi: of :func:`tail_index`.
    """
    near = quantile(tops, Rank(1, beyond), xi)
    if (m := _tail(tops, n)) == 0:
        return near
    far = quantile(tops, Rank(m + 1, (m + 1) * beyond), xi)
    weight = _FAR * min(1.0, math.log(beyond) / math.log(MAX_EXTRAPOLATION))
    return max(tops[0], math.pow(near, 1.0 - weight) * math.pow(far, weight))
