"""How careful the first week is: what four knobs of it cost and bring, on the devices of the table's own rows.

The knobs are no settings: they are constants of the rule's modules. :func:`turned` puts other values into the modules
of this process while one device is run, and puts the rule's own back. The rule's code stays as it is, and nothing that
serves can turn them.
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
from benchmarks.thresholds.laws import DAY, SD, days
from benchmarks.thresholds.scenes import HOUR, Outcome, hear, storm
from benchmarks.thresholds.serve import serve
from processors.core.threshold import block_rule, limits
from processors.core.threshold import tail_extrapolation as tail
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.budget import BudgetPlan, budget_plan
from processors.core.threshold.limits import Limits, Prior
from processors.core.threshold.reference import Reference

Figures = dict[str, Any]


class Caution(NamedTuple):
    """The knobs, as the rule has them unless given.

    Attributes:
        clip: what chance brings enters at most where exceedances are so many times rarer than of the largest value.
        rarity: how many times rarer than the largest peak the threshold stands at most.
        learning: times the promised rates, until seven days are heard.
        far: weight of the extrapolation from the smallest of the values that the tail's index is found from, against
            that from the largest, for what is eight times rarer than that; 0 to 1.
    """

    clip: float = 2.0
    rarity: float = 8.0
    learning: float = 3.0
    far: float = 0.5


DEFAULT = Caution()
KNOBS: dict[str, tuple[float, ...]] = {
    "clip": (1.0, 2.0, 4.0),
    "rarity": (4.0, 8.0, 16.0),
    "learning": (1.0, 2.0, 3.0, 5.0),
    "far": (0.0, 0.5, 1.0),
}
HOURS = (
    1,
    2,
    4,
    6,
    9,
    12,
    16,
    20,
    23,
    24,
    25,
    26,
    28,
    32,
    36,
    42,
    47,
    48,
    49,
    50,
    54,
    60,
    71,
    73,
    80,
    96,
    120,
    144,
    168,
    192,
    216,
)
MINUTES = (60, 65, 75, 90, 120, 240, 1_440)
EVENTS = {"gamma": 12, "student-t4": 24}
"""Standard deviations of the events looked for; of Student t4 those of which the rule finds about two thirds."""

_DAYS = 14
_STORM = 1_800


def name_of(caution: Caution) -> str:
    """The row of a setting."""
    turned_to = [f"{knob} {value}" for knob, value in caution._asdict().items() if value != getattr(DEFAULT, knob)]
    return " ".join(["caution", *(turned_to or ["default"])])


SETTINGS = {name_of(c): c for knob, values in KNOBS.items() for c in (DEFAULT._replace(**{knob: v}) for v in values)}


@contextmanager
def turned(caution: Caution) -> Iterator[None]:
    """The rule with other knobs, in this process and inside the block alone."""

    def judged(reference: Reference, chosen: BudgetPlan, prior: Prior) -> Limits:
        return limits.limits_of(reference, replace(chosen, calibration_allowance=caution.learning), prior)

    with (
        patch.object(limits, "_CLIP_RARITY", caution.clip),
        patch.object(limits, "MAX_EXTRAPOLATION", caution.rarity),
        patch.object(tail, "_INNER_WEIGHT", caution.far),
        patch.object(block_rule, "limits_of", judged),
    ):
        yield


def _share_found(law: str, device: int, heard: int) -> list[float]:
    """Share of events of the law's size that are found, for each duration."""
    at = rows.SIZES.index(EVENTS[law])
    return [found[at] for found in rows.recall(law, 700 + device, 1.0, heard)]


# The seeds are those of the table's rows: the first devices are the same.
_MEASURES: dict[str, Callable[[str, int], Any]] = {
    "alarms": lambda law, device: rows.promise(law, device, 1.0, _DAYS)["alerts"],
    "cycle": lambda law, device: rows.cycling(law, 1_100 + device)["alerts"],
    "hour 24": lambda law, device: _share_found(law, device, DAY),
    "hour 26": lambda law, device: _share_found(law, device, 26 * HOUR),
    "day 8": lambda law, device: _share_found(law, device, 8 * DAY),
    "storms": lambda law, device: rows.storms(law, 800 + device, HOUR),
    "contaminated": lambda _, device: rows.contaminated("events", 1_200 + device),
}
_OF_LAW = {
    "gamma": ("alarms", "hour 24", "hour 26", "day 8", "storms", "contaminated"),
    "student-t4": ("cycle", "hour 24", "day 8"),
    "ar1-lognormal": ("alarms",),
}


def measured(caution: Caution, name: str, law: str, device: int) -> tuple[str, Any]:
    """One measure of one device: its name and figures."""
    with turned(caution):
        return name, _MEASURES[name](law, device)


def parts(
    devices: int, cycling: int, submit: Callable[..., Future[Any]]
) -> Iterator[tuple[str, tuple[str, ...], Callable[[str], list[Future[Any]]], Callable[[list[Any]], Any]]]:
    """The rows to run: name, laws, the runs of a law, and what becomes of them.

    Args:
        devices: of every measure but one.
        cycling: devices with a daily cycle.
        submit: starts a run.
    """

    def runs(law: str, caution: Caution) -> list[Future[Any]]:
        many = {name: cycling if name == "cycle" else devices for name in _OF_LAW[law]}
        return [submit(measured, caution, name, law, device) for name, n in many.items() for device in range(n)]

    for name, caution in SETTINGS.items():
        yield name, tuple(_OF_LAW), lambda law, c=caution: runs(law, c), gather
    yield (
        "caution distance",
        ("gamma", "student-t4"),
        lambda law: [submit(distances, law, device) for device in range(devices)],
        _shares,
    )
    for minutes in MINUTES:
        yield (
            f"caution storm {minutes}",
            ("gamma",),
            lambda _, m=minutes: [
                submit(moved, device, m, stormy) for stormy in (True, False) for device in range(devices)
            ],
            gather_moved,
        )


def distances(law: str, device: int) -> list[float]:
    """How far off an undisturbed device's threshold for peaks stands after each of :data:`HOURS`, in sd."""
    rule, far, at = BlockRule(budget_plan(1.0)), [], 0
    state = rule.begin()
    stream = np.concatenate(list(days(law, (900 + device, 11), HOURS[-1] * HOUR // DAY)))
    for hours in HOURS:
        state, _ = serve(rule, state, stream[at : hours * HOUR])
        far.append(state.limits.peak / SD[law])
        at = hours * HOUR
    return far


def gather(found: list[tuple[str, Any]]) -> Figures:
    """The figures of one setting and law, from those of its devices."""
    of: dict[str, list[Any]] = {}
    for name, figures in found:
        of.setdefault(name, []).append(figures)
    return {name: _GATHER[name](devices) for name, devices in of.items()}


def _alarms(found: list[list[float]]) -> Figures:
    alarms = np.array(found)
    return {
        "devices": len(alarms),
        "day_1": error(alarms[:, 0]),
        "days_2_to_7": error(alarms[:, 1:7].mean(axis=1)),
        "week_2": error(alarms[:, 7:14].mean(axis=1)),
        "from_day_8": error(alarms[:, 7:].mean(axis=1)),
        "days_from_day_8": alarms.shape[1] - 7,
        "of_each_from_day_8": " ".join(f"{many:.0f}" for many in alarms[:, 7:].sum(axis=1)),
    }


def _shares(found: list[list[float]]) -> list[list[float]]:
    return [error(shares) for shares in zip(*found, strict=True)]


def _storms(found: list[Figures]) -> Figures:
    delays = [delay for device in found for delay in device["delay"] if delay is not None]
    return {
        "devices": len(found),
        "found": round(len(delays) / (2 * len(found)), 3),
        "median_delay_s": float(np.median(delays)) if delays else None,
        "longest_delay_s": max(delays, default=None),
        **_moved([device["moved"] for device in found if device["moved"] is not None]),
    }


def _found(found: list[Figures]) -> list[float]:
    return error([device["found"] for device in found])


_GATHER: dict[str, Callable[[list[Any]], Any]] = {
    "alarms": _alarms,
    "cycle": _alarms,
    "hour 24": _shares,
    "hour 26": _shares,
    "day 8": _shares,
    "storms": _storms,
    "contaminated": _found,
}


def error(values: npt.ArrayLike) -> list[float]:
    """Mean over devices, and two standard errors of it."""
    each = np.asarray(values, dtype=np.float64)
    spread = 2.0 * each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else 0.0
    return [round(float(each.mean()), 4), round(float(spread), 4)]


def difference(figures: Figures, default: Figures) -> list[float]:
    """False alarms a day from day 8 on more than by default, of the same devices; two standard errors of it."""
    here, there = (np.array(one["of_each_from_day_8"].split(), dtype=np.float64) for one in (figures, default))
    return error((here - there) / figures["days_from_day_8"])


def moved(device: int, minutes: int, stormy: bool) -> Figures:
    """How far the threshold moves over half an hour and the hour after it, on Gamma(4, 1), and why.

    Args:
        device: as in the table's storms.
        minutes: heard before.
        stormy: whether the half hour is a storm of +4 sd.

    Returns:
        ``moved``, a share of the threshold before; ``why``: the first hour was not over (``first hour``), a short alarm
        during the storm entered (``own``), or one after it (``after``); "" for anything else, or if it did not move.
    """
    seed = 800 + device
    rule, start = BlockRule(budget_plan(1.0)), 60 * minutes + 37 * seed % 60
    end = start + _STORM + HOUR
    stream = np.concatenate(list(days("gamma", (seed, 7), end // DAY + 1)))
    if stormy:
        stream = storm("gamma", start, _STORM)(0, stream)
    before = hear(rule, rule.begin(), Outcome(), 0, stream[:start])
    after = hear(rule, before, Outcome(), start, stream[start:end])
    entered = [
        past.opened_ns // 1_000_000_000 - start for past in after.episodes.closed if past.entered_peak is not None
    ]
    shift = abs(after.limits.peak - before.limits.peak) / before.limits.peak
    if shift == 0.0:
        why = ""
    elif before.warm_up is not None:
        why = "first hour"
    elif any(0 <= at < _STORM for at in entered):
        why = "own"
    else:
        why = "after" if any(at >= _STORM for at in entered) else ""
    return {"moved": shift, "why": why}


def gather_moved(found: list[Figures]) -> Figures:
    """How far thresholds moved, with and without a storm; the runs of both follow on one another."""
    half = len(found) // 2
    far = [device for device in found[:half] if device["moved"] > 0.01]
    return {
        "devices": half,
        **_moved([device["moved"] for device in found[:half]]),
        "why": {why: sum(device["why"] == why for device in far) for why in ("first hour", "own", "after", "")},
        "without a storm": _moved([device["moved"] for device in found[half:]]),
    }


def _moved(shares: list[float]) -> Figures:
    return {
        "moved": error(shares),
        "moved_above_1_percent": sum(share > 0.01 for share in shares),
        "moved_most": round(max(shares), 5),
    }
