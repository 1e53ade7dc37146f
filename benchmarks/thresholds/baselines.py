"""Baseline threshold rules on the same scores.

For every baseline an alarm is an exceedance after at least a minute without one, which favours rules that chatter.
The rules of the source systems are fixed thresholds, computed from normal scores here as they were there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from libspot import ANOMALY, Spot

from benchmarks.thresholds.distributions import DAY, SD, Scores, days

_Q = 1.0 / DAY
_QUIET = 60
_EWMA = 0.001

Flags = npt.NDArray[np.bool_]


def alarms(flags: Flags) -> npt.NDArray[np.int64]:
    """Seconds at which an alarm begins."""
    at = np.flatnonzero(flags)
    return at[np.diff(at, prepend=-_QUIET - 1) > _QUIET] if len(at) else at


def fixed(threshold: float, scores: Scores) -> tuple[Flags, Scores]:
    """A constant threshold: its flags, and the threshold at each second."""
    return scores > threshold, np.full(len(scores), threshold)


def spot(first: Scores, scores: Scores) -> tuple[Flags, Scores]:
    """libspot (Siffer et al., KDD 2017) with q = one a day, level .98, discarding anomalies."""
    model = Spot(q=_Q, low=False, discard_anomalies=True, level=0.98, max_excess=500)
    model.fit(first)
    flags, thresholds = np.zeros(len(scores), bool), np.empty(len(scores))
    for at, score in enumerate(scores.tolist()):
        thresholds[at] = model.anomaly_threshold
        flags[at] = model.step(score) == ANOMALY
    return flags, thresholds


def ewma(first: Scores, scores: Scores) -> tuple[Flags, Scores]:
    """Exponentially weighted mean + 5 sd, weight 0.001, updated by every score."""
    mean, variance = float(first.mean()), float(first.var())
    flags, thresholds = np.zeros(len(scores), bool), np.empty(len(scores))
    for at, score in enumerate(scores.tolist()):
        thresholds[at] = mean + 5.0 * variance**0.5
        flags[at] = score > thresholds[at]
        step = score - mean
        mean += _EWMA * step
        variance = (1.0 - _EWMA) * (variance + _EWMA * step * step)
    return flags, thresholds


BASELINES: dict[str, Callable[[Scores, Scores], tuple[Flags, Scores]]] = {
    "libspot, n_init 10,000": lambda first, scores: spot(first[-10_000:], scores),
    "libspot, n_init 86,400": spot,
    "EWMA + 5 sd": ewma,
    "mean + 3 sd (water leak VAE)": lambda first, scores: fixed(first.mean() + 3.0 * first.std(), scores),
    "mean - 2.3 sd, below (water leak AE)": lambda first, scores: (
        scores < first.mean() - 2.3 * first.std(),
        np.full(len(scores), first.mean() - 2.3 * first.std()),
    ),
    "median + 5 MAD": lambda first, scores: fixed(
        float(np.median(first) + 5.0 * np.median(np.abs(first - np.median(first)))), scores
    ),
    "95th percentile (IAIA2)": lambda first, scores: fixed(float(np.quantile(first, 0.95)), scores),
    "fixed, halfway to +4 sd faults (abnormal_sound_detect, Sound-Anomaly-Detection)": lambda first, scores: fixed(
        first.mean() + 2.0 * first.std(), scores
    ),
    "fixed at 6.9 % of frames (Eye-SCREAM's precision)": lambda first, scores: fixed(
        float(np.quantile(first, 1.0 - 0.069)), scores
    ),
}


def false_alarms(distribution: str, name: str, devices: int, n: int, seed: int) -> Scores:
    """Alarms on each of ``n`` days after a day of calibration, float64 (devices * n,)."""
    found = []
    for device in range(devices):
        first, *rest = days(distribution, (seed, device), n + 1)
        flags, _ = BASELINES[name](first, np.concatenate(rest))
        found.append(np.bincount(alarms(flags) // DAY, minlength=n))
    return np.concatenate(found).astype(np.float64)


def in_sustained_fault(name: str, seed: int) -> dict[str, float]:
    """A 30-minute fault of +4 sd on Gamma(4, 1): the share flagged, and the threshold before and after."""
    first, second = days("gamma", (seed, 0), 2)
    scores = second[:14_400].copy()
    scores[7_200:9_000] += 4.0 * SD["gamma"]
    flags, thresholds = BASELINES[name](first, scores)
    return {
        "flagged": round(float(flags[7_200:9_000].mean()), 3),
        "threshold_before": round(float(thresholds[7_199]), 2),
        "threshold_after": round(float(thresholds[9_000]), 2),
    }


def in_drift(distribution: str, name: str, devices: int, seed: int) -> float:
    """Alarms a day while the level rises by 1.5 sd a day for five days."""
    found = []
    for device in range(devices):
        first, *rest = days(distribution, (seed, device), 6)
        scores = np.concatenate(rest)
        scores += 1.5 * SD[distribution] * np.arange(len(scores)) / DAY
        found.append(len(alarms(BASELINES[name](first, scores)[0])) / 5.0)
    return round(float(np.mean(found)), 2)
