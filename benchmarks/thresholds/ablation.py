"""Ablation of four constants of the threshold rule, on the devices of the table's own rows.

The constants are no settings: they belong to the rule's modules. :func:`patched` replaces them in this process while
one device is simulated and restores them afterwards. The rule's code is unchanged, and no serving process can set them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from benchmarks.thresholds import rows
from benchmarks.thresholds.distributions import DAY, SD, days
from benchmarks.thresholds.rule_run import run_rule
from benchmarks.thresholds.scenarios import HOUR, SimulationResult, observe, sustained_fault
from processors.core.threshold import block_rule, limits
from processors.core.threshold import tail_extrapolation as tail
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.budget import BudgetPlan, budget_plan
from processors.core.threshold.limits import Limits, Prior
from processors.core.threshold.reference import Reference

Figures = dict[str, Any]


class RuleConstants(NamedTuple):
    """The constants under test; the defaults are the rule's own.

    Attributes:
        clip: new block maxima enter the reference clipped to the quantile this many times rarer than its largest value.
        max_extrapolation: how many times rarer than the largest peak an extrapolated threshold may be.
        calibration_factor: multiplier of the false-alarm budget until seven days are observed.
        inner_weight: weight of the extrapolation from the smallest of the values that the tail index is estimated
            from, against that from the largest, for a quantile eight times rarer than that; 0 to 1.
    """

    clip: float = 2.0
    max_extrapolation: float = 8.0
    calibration_factor: float = 3.0
    inner_weight: float = 0.5


DEFAULT = RuleConstants()
VALUES: dict[str, tuple[float, ...]] = {
    "clip": (1.0, 2.0, 4.0),
    "max_extrapolation": (4.0, 8.0, 16.0),
    "calibration_factor": (1.0, 2.0, 3.0, 5.0),
    "inner_weight": (0.0, 0.5, 1.0),
}
HOURS = (
    1, 2, 4, 6, 9, 12, 16, 20, 23, 24, 25, 26, 28, 32, 36, 42, 47, 48, 49, 50,
    54, 60, 71, 73, 80, 96, 120, 144, 168, 192, 216,
)  # fmt: skip
MINUTES = (60, 65, 75, 90, 120, 240, 1_440)
EVENTS = {"gamma": 12, "student-t4": 24}
"""Size of the events, standard deviations; for Student t4 the size of which the rule finds about two thirds."""

_DAYS = 14
_FAULT_S = 1_800


def row_name(constants: RuleConstants) -> str:
    """The name of a variant's row."""
    changed = [f"{name} {value}" for name, value in constants._asdict().items() if value != getattr(DEFAULT, name)]
    return " ".join(["ablation", *(changed or ["default"])])


VARIANTS = {
    row_name(variant): variant
    for name, values in VALUES.items()
    for variant in (DEFAULT._replace(**{name: value}) for value in values)
}


@contextmanager
def patched(constants: RuleConstants) -> Iterator[None]:
    """The rule with other constants, in this process and inside the block only."""

    def limits_with_factor(reference: Reference, chosen: BudgetPlan, prior: Prior) -> Limits:
        return limits.limits_of(reference, replace(chosen, calibration_allowance=constants.calibration_factor), prior)

    with (
        patch.object(limits, "_CLIP_RARITY", constants.clip),
        patch.object(limits, "MAX_EXTRAPOLATION", constants.max_extrapolation),
        patch.object(tail, "_INNER_WEIGHT", constants.inner_weight),
        patch.object(block_rule, "limits_of", limits_with_factor),
    ):
        yield


def _share_found(distribution: str, device: int, observed: int) -> list[float]:
    """Share of events of the distribution's size in :data:`EVENTS` that are found, for each duration."""
    at = rows.SIZES.index(EVENTS[distribution])
    return [found[at] for found in rows.recall(distribution, 700 + device, 1.0, observed)]


# Seeds of the table's rows: the first devices are the same.
_MEASURES: dict[str, Callable[[str, int], Any]] = {
    "alarms": lambda distribution, device: rows.alerts_by_day(distribution, device, 1.0, _DAYS)["alerts"],
    "cycle": lambda distribution, device: rows.daily_cycle(distribution, 1_100 + device)["alerts"],
    "hour 24": lambda distribution, device: _share_found(distribution, device, DAY),
    "hour 26": lambda distribution, device: _share_found(distribution, device, 26 * HOUR),
    "day 8": lambda distribution, device: _share_found(distribution, device, 8 * DAY),
    "sustained faults": lambda distribution, device: rows.sustained_faults(distribution, 800 + device, HOUR),
    "contaminated": lambda _, device: rows.contaminated("events", 1_200 + device),
}
_BY_DISTRIBUTION = {
    "gamma": ("alarms", "hour 24", "hour 26", "day 8", "sustained faults", "contaminated"),
    "student-t4": ("cycle", "hour 24", "day 8"),
    "ar1-lognormal": ("alarms",),
}


def measure(constants: RuleConstants, name: str, distribution: str, device: int) -> tuple[str, Any]:
    """One measure of one device: its name and figures."""
    with patched(constants):
        return name, _MEASURES[name](distribution, device)


def row_plans(
    devices: int, cycling: int, submit: Callable[..., Future[Any]]
) -> Iterator[tuple[str, tuple[str, ...], Callable[[str], list[Future[Any]]], Callable[[list[Any]], Any]]]:
    """The rows to run: name, distributions, the runs of a distribution, and the function that summarises them.

    Args:
        devices: of every measure except ``cycle``.
        cycling: devices with a daily cycle.
        submit: starts a run.
    """

    def runs(distribution: str, constants: RuleConstants) -> list[Future[Any]]:
        many = {name: cycling if name == "cycle" else devices for name in _BY_DISTRIBUTION[distribution]}
        return [
            submit(measure, constants, name, distribution, device) for name, n in many.items() for device in range(n)
        ]

    for name, constants in VARIANTS.items():
        yield name, tuple(_BY_DISTRIBUTION), lambda distribution, c=constants: runs(distribution, c), summarise
    yield (
        "ablation distance",
        ("gamma", "student-t4"),
        lambda distribution: [submit(threshold_distances, distribution, device) for device in range(devices)],
        _shares,
    )
    for minutes in MINUTES:
        yield (
            f"ablation sustained fault {minutes}",
            ("gamma",),
            lambda _, m=minutes: [
                submit(threshold_shift, device, m, faulty) for faulty in (True, False) for device in range(devices)
            ],
            summarise_shifts,
        )


def threshold_distances(distribution: str, device: int) -> list[float]:
    """An undisturbed device's peak threshold, its distance from the usual score after each of :data:`HOURS`, in sd."""
    rule, distances, at = BlockRule(budget_plan(1.0)), [], 0
    state = rule.begin()
    stream = np.concatenate(list(days(distribution, (900 + device, 11), HOURS[-1] * HOUR // DAY)))
    for hours in HOURS:
        state, _ = run_rule(rule, state, stream[at : hours * HOUR])
        distances.append(state.limits.peak / SD[distribution])
        at = hours * HOUR
    return distances


def summarise(found: list[tuple[str, Any]]) -> Figures:
    """The figures of one variant and distribution, from those of its devices."""
    of: dict[str, list[Any]] = {}
    for name, figures in found:
        of.setdefault(name, []).append(figures)
    return {name: _SUMMARIES[name](devices) for name, devices in of.items()}


def _alarms(found: list[list[float]]) -> Figures:
    alarms = np.array(found)
    return {
        "devices": len(alarms),
        "day_1": mean_and_error(alarms[:, 0]),
        "days_2_to_7": mean_and_error(alarms[:, 1:7].mean(axis=1)),
        "week_2": mean_and_error(alarms[:, 7:14].mean(axis=1)),
        "from_day_8": mean_and_error(alarms[:, 7:].mean(axis=1)),
        "days_from_day_8": alarms.shape[1] - 7,
        "of_each_from_day_8": " ".join(f"{many:.0f}" for many in alarms[:, 7:].sum(axis=1)),
    }


def _shares(found: list[list[float]]) -> list[list[float]]:
    return [mean_and_error(shares) for shares in zip(*found, strict=True)]


def _sustained_faults(found: list[Figures]) -> Figures:
    delays = [delay for device in found for delay in device["delay"] if delay is not None]
    return {
        "devices": len(found),
        "found": round(len(delays) / (2 * len(found)), 3),
        "median_delay_s": float(np.median(delays)) if delays else None,
        "longest_delay_s": max(delays, default=None),
        **_shifts([device["shift"] for device in found if device["shift"] is not None]),
    }


def _found(found: list[Figures]) -> list[float]:
    return mean_and_error([device["found"] for device in found])


_SUMMARIES: dict[str, Callable[[list[Any]], Any]] = {
    "alarms": _alarms,
    "cycle": _alarms,
    "hour 24": _shares,
    "hour 26": _shares,
    "day 8": _shares,
    "sustained faults": _sustained_faults,
    "contaminated": _found,
}


def mean_and_error(values: npt.ArrayLike) -> list[float]:
    """Mean over devices and two standard errors of it."""
    each = np.asarray(values, dtype=np.float64)
    spread = 2.0 * each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else 0.0
    return [round(float(each.mean()), 4), round(float(spread), 4)]


def paired_difference(figures: Figures, default: Figures) -> list[float]:
    """Difference to the default in false alarms a day from day 8 on, paired by device; two standard errors of it."""
    here, there = (np.array(one["of_each_from_day_8"].split(), dtype=np.float64) for one in (figures, default))
    return mean_and_error((here - there) / figures["days_from_day_8"])


def threshold_shift(device: int, minutes: int, faulty: bool) -> Figures:
    """How far the threshold moves over half an hour and the hour after it, on Gamma(4, 1), and the reason.

    Args:
        device: as in the table's rows of sustained faults.
        minutes: observed before.
        faulty: whether the half hour is a sustained fault of +4 sd.

    Returns:
        ``shift``, a share of the threshold before; ``reason``: the warm-up was not over (``warm-up``), a short alarm
        during the fault entered the reference (``during``), or one after it (``after``); "" otherwise.
    """
    seed = 800 + device
    rule, start = BlockRule(budget_plan(1.0)), 60 * minutes + 37 * seed % 60
    end = start + _FAULT_S + HOUR
    stream = np.concatenate(list(days("gamma", (seed, 7), end // DAY + 1)))
    if faulty:
        stream = sustained_fault("gamma", start, _FAULT_S)(0, stream)
    before = observe(rule, rule.begin(), SimulationResult(), 0, stream[:start])
    after = observe(rule, before, SimulationResult(), start, stream[start:end])
    entered = [
        past.opened_ns // 1_000_000_000 - start for past in after.episodes.closed if past.entered_peak is not None
    ]
    shift = abs(after.limits.peak - before.limits.peak) / before.limits.peak
    if shift == 0.0:
        reason = ""
    elif before.warm_up is not None:
        reason = "warm-up"
    elif any(0 <= at < _FAULT_S for at in entered):
        reason = "during"
    else:
        reason = "after" if any(at >= _FAULT_S for at in entered) else ""
    return {"shift": shift, "reason": reason}


def summarise_shifts(found: list[Figures]) -> Figures:
    """Threshold shifts with and without a fault: the first half of the runs has one, the second half has none."""
    half = len(found) // 2
    shifted = [device for device in found[:half] if device["shift"] > 0.01]
    return {
        "devices": half,
        **_shifts([device["shift"] for device in found[:half]]),
        "reasons": {
            reason: sum(device["reason"] == reason for device in shifted)
            for reason in ("warm-up", "during", "after", "")
        },
        "without fault": _shifts([device["shift"] for device in found[half:]]),
    }


def _shifts(shares: list[float]) -> Figures:
    return {
        "shift": mean_and_error(shares),
        "shift_above_1_percent": sum(share > 0.01 for share in shares),
        "max_shift": round(max(shares), 5),
    }
