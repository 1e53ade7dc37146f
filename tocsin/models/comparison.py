"""Agreement of champion and shadow on the same windows; pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.score import ModelRef, Score
from tocsin.client.alert_openings import opening_scores

_DAY_S = 86_400.0

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """One device's windows that both models scored, in order.

    Attributes:
        device_id: of the device.
        champion, shadow: one score per window each; of the same sound.
        seconds: of sound that the windows cover.
    """

    device_id: str
    champion: tuple[Score, ...]
    shadow: tuple[Score, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two models compare.

    Attributes:
        devices, windows, hours: how much was compared.
        agreement: share of windows with the same decision, each model at its own threshold, 0 to 1.
        both, champion_only, shadow_only: windows above the threshold.
        correlation: Spearman's rank correlation of the scores, the mean over devices weighed by their windows, -1 to 1;
            None if no device's scores vary.
        champion_alarms_a_day, shadow_alarms_a_day: alarms a device and day; None while no window had a threshold.
    """

    devices: int
    windows: int
    hours: float
    agreement: float
    both: int
    champion_only: int
    shadow_only: int
    correlation: float | None
    champion_alarms_a_day: float | None
    shadow_alarms_a_day: float | None


def paired(scores: Iterable[Score], champion: ModelRef, shadow: ModelRef) -> list[Pairs]:
    """Windows that both models scored, by device.

    If the models' windows differ in length, each window of the model with fewer windows is paired with the other
    model's window of the nearest middle, at most half the longer window away.

    Args:
        scores: in any order; duplicates count once.
        champion, shadow: the two models.
    """
    sessions: dict[tuple[str, str], tuple[dict[str, Score], dict[str, Score]]] = defaultdict(lambda: ({}, {}))
    for score in scores:
        for number, model in enumerate((champion, shadow)):
            if score.model.sha256 == model.sha256 and score.stage == ("champion", "shadow")[number]:
                sessions[score.device_id, score.session_id][number][score.event_id()] = score
    devices: dict[str, list[tuple[list[Score], list[Score], float]]] = defaultdict(list)
    for (device, _), (first, second) in sessions.items():
        if first and second:
            devices[device].append(_matched(list(first.values()), list(second.values())))
    found = []
    for device, parts in sorted(devices.items()):
        parts.sort(key=lambda part: part[0][0].captured_ns if part[0] else 0)
        left = tuple(score for part in parts for score in part[0])
        right = tuple(score for part in parts for score in part[1])
        if left:
            found.append(Pairs(device, left, right, sum(part[2] for part in parts)))
    return found


def compare(pairs: Sequence[Pairs]) -> Agreement:
    """How the two models compare, over all devices; ``pairs`` must not be empty."""
    left = np.array([score.exceeds for pair in pairs for score in pair.champion])
    right = np.array([score.exceeds for pair in pairs for score in pair.shadow])
    correlations = [(rank_correlation(*values_of(pair)), len(pair.champion)) for pair in pairs]
    known = [(value, weight) for value, weight in correlations if value is not None]
    seconds = sum(pair.seconds for pair in pairs)
    return Agreement(
        devices=len(pairs),
        windows=len(left),
        hours=seconds / 3_600.0,
        agreement=float(np.mean(left == right)),
        both=int(np.sum(left & right)),
        champion_only=int(np.sum(left & ~right)),
        shadow_only=int(np.sum(right & ~left)),
        correlation=None if not known else float(np.average([v for v, _ in known], weights=[w for _, w in known])),
        champion_alarms_a_day=_alarms_a_day([pair.champion for pair in pairs], seconds),
        shadow_alarms_a_day=_alarms_a_day([pair.shadow for pair in pairs], seconds),
    )


def values_of(pair: Pairs) -> tuple[Float64, Float64]:
    """Both models' scores, float64 (n,) each."""
    return np.array([score.score for score in pair.champion]), np.array([score.score for score in pair.shadow])


def rank_correlation(left: Float64, right: Float64) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank; None if one of them does not vary.

    Args:
        left, right: float64 (n,).
    """
    if len(left) < 2 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def _alarms_a_day(devices: Sequence[Sequence[Score]], seconds: float) -> float | None:
    if not any(score.threshold is not None for scores in devices for score in scores):
        return None
    return sum(len(opening_scores(scores)) for scores in devices) * _DAY_S / seconds


def _matched(first: list[Score], second: list[Score]) -> tuple[list[Score], list[Score], float]:
    """Paired windows of one session, in order, and the seconds they cover."""
    fewer, more = (first, second) if len(first) <= len(second) else (second, first)
    fewer.sort(key=_middle)
    more.sort(key=_middle)
    middles = np.array([_middle(score) for score in more])
    reach = max(fewer[0].n_samples, more[0].n_samples)
    left, right = [], []
    for score in fewer:
        at = int(np.searchsorted(middles, _middle(score)))
        near = min(range(max(at - 1, 0), min(at + 1, len(more))), key=lambda i: abs(middles[i] - _middle(score)))
        if abs(middles[near] - _middle(score)) <= reach:
            left.append(score)
            right.append(more[near])
    starts = np.array([score.first_sample for score in left])
    hop = float(np.median(np.diff(starts))) if len(left) > 1 else float(left[0].n_samples if left else 0)
    seconds = len(left) * hop / fewer[0].sample_rate
    return (left, right, seconds) if fewer is first else (right, left, seconds)


def _middle(score: Score) -> int:
    """Twice the window's middle, in samples of its session."""
    return 2 * score.first_sample + score.n_samples


def _ranks(values: Float64) -> Float64:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean_rank: Float64 = ends - (counts - 1) / 2.0
    return mean_rank[inverse]
