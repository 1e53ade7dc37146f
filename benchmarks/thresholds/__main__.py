"""False alarms, recall and delay of the threshold rule and its rivals, on five laws of scores; two standard errors.

``python -m benchmarks.thresholds`` keeps ``results/thresholds.json``, and draws the pictures and writes the tables of
``docs/thresholds.md``; it needs libspot and scipy. ``--only`` measures some rows anew, named by their beginnings,
``--laws`` those of some laws; the figures of the others are kept. ``--redraw`` draws and writes from the kept result.
``--quick`` runs a small part of everything and keeps nothing.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress

from benchmarks.result import keep
from benchmarks.thresholds import caution, keeping, pictures, rivals, rows, table, trade
from benchmarks.thresholds.laws import DAY, LAWS
from benchmarks.thresholds.scenes import HOUR

Figures = dict[str, Any]

RESULT = Path(__file__).parents[1] / "results" / "thresholds.json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "thresholds.md"

SETTINGS = {"1 a month": 7 / 30.44, "1 a week": 1.0, "1 a day": 7.0}
HEARD = {"36 s": 36, "hour 1": HOUR, "hour 24": DAY, "day 8": 8 * DAY}
CURVE = (0.25, 1.0, 7.0, 28.0)
DRIFTING_RIVALS = ("libspot, n_init 86,400", "EWMA + 5 sd")


@dataclass(frozen=True)
class Size:
    """How much is simulated.

    Attributes:
        devices, days: of the promise, for each law.
        cycling: devices with a daily cycle.
        long: devices of the half year, at one a month and of contaminated calibrations.
        half_year: days of the long run, Gamma only.
        few: devices of the smaller rows.
        cautious: devices of each setting of the first week's caution, but for those with a cycle.
        rival_devices: two days each after one of calibration.
        kept: devices whose states a Redis holds.
    """

    devices: int
    days: int
    cycling: int
    long: int
    half_year: int
    few: int
    cautious: int
    rival_devices: int
    kept: int


FULL, QUICK = Size(240, 28, 120, 60, 189, 10, 60, 30, 10_000), Size(2, 21, 1, 2, 21, 1, 1, 1, 100)


def figures_of(
    size: Size, submit: Callable[..., Future[Any]], only: tuple[str, ...] = ("",), laws: tuple[str, ...] = LAWS
) -> Iterator[tuple[str, Callable[[], Any], list[Future[Any]]]]:
    """Rows whose names begin with one of ``only``, of some laws: name, figures once they are there, their runs."""

    def each(
        name: str, keys: tuple[Any, ...], runs: Callable[[Any], list[Future[Any]]], gather: Callable[[list[Any]], Any]
    ) -> tuple[str, Callable[[], Any], list[Future[Any]]]:
        wanted = [key for key in keys if key in laws or key not in LAWS] if name.startswith(only) else []
        found = {str(key): runs(key) for key in wanted}
        flat = [future for futures in found.values() for future in futures]
        return name, lambda: {key: gather([f.result() for f in futures]) for key, futures in found.items()}, flat

    many, long, few = range(size.devices), range(size.long), range(size.few)
    yield each(
        "promise", LAWS, lambda law: [submit(rows.promise, law, seed, 1.0, size.days) for seed in many], _promise
    )
    yield each(
        "half a year",
        ("gamma",),
        lambda law: [submit(rows.promise, law, 100 + seed, 1.0, size.half_year) for seed in long],
        _promise,
    )
    for name in ("1 a month", "1 a day"):
        n = min(size.half_year, 63 if name == "1 a month" else 21)
        devices = long if name == "1 a month" else few
        yield each(
            name,
            LAWS,
            lambda law, s=SETTINGS[name], n=n, of=devices: [submit(rows.promise, law, 500 + d, s, n) for d in of],
            _promise,
        )
    yield each(
        "prior",
        LAWS,
        lambda law: [submit(rows.from_prior, law, seed, 3) for seed in range(600, 600 + max(1, size.few // 5))],
        _prior,
    )
    for name, heard in HEARD.items():
        yield each(
            f"recall {name}", LAWS, lambda law, h=heard: [submit(rows.recall, law, 700 + d, 1.0, h) for d in few], _mean
        )
        if heard >= HOUR:
            yield each(
                f"storms {name}",
                LAWS,
                lambda law, h=heard: [submit(rows.storms, law, 800 + d, h) for d in few],
                _storms,
            )
    for per_week in CURVE:
        yield each(
            f"curve {per_week:g}",
            LAWS,
            lambda law, s=per_week: [
                submit(rows.recall, law, 900 + d, s, 15 * DAY) for d in range(max(1, size.few // 2))
            ],
            _mean,
        )
    yield each("drift", LAWS, lambda law: [submit(rows.drifting, law, 1_000 + d) for d in few], _drift)
    yield each("cycle", LAWS, lambda law: [submit(rows.cycling, law, 1_100 + d) for d in range(size.cycling)], _cycle)
    yield each(
        "contaminated",
        ("storm", "events"),
        lambda kind: [submit(rows.contaminated, kind, 1_200 + d) for d in long],
        _found,
    )
    for part in caution.parts(size.cautious, size.cycling, submit):
        yield each(*part)
    for name in rivals.RIVALS:
        yield each(
            f"rival {name}",
            LAWS,
            lambda law, r=name: [submit(rivals.false_alarms, law, r, size.rival_devices, 2, 1_300)],
            _rates,
        )
        yield each(f"rival storm {name}", ("gamma",), lambda _, r=name: [submit(rivals.in_a_storm, r, 1_400)], _first)
    for name in DRIFTING_RIVALS:
        yield each(f"rival drift {name}", LAWS, lambda law, r=name: [submit(rivals.in_drift, law, r, 1, 1_500)], _first)
    yield each("cost", ("gamma",), lambda _: [submit(rows.cost)], _first)
    yield each("kept", ("gamma",), lambda _: [submit(keeping.kept, size.kept)], _first)


def two_errors(values: npt.ArrayLike) -> list[float]:
    """Mean over devices, and two standard errors of it. Values: (devices, days)."""
    means = np.asarray(values, dtype=np.float64).mean(axis=1)
    error = 2.0 * means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else 0.0
    return [round(float(means.mean()), 4), round(float(error), 4)]


def _promise(found: list[Figures]) -> Figures:
    alerts = np.array([device["alerts"] for device in found])
    settled = alerts[:, 7:]
    weeks = settled[:, : settled.shape[1] // 7 * 7].reshape(len(alerts), -1, 7).mean(axis=(0, 2))
    slope = float(np.polyfit(np.arange(len(weeks)), weeks, 1)[0])
    return {
        "device_days": settled.size,
        "a_day": two_errors(settled),
        "at_most_1": round(float((settled <= 1).mean()), 5),
        "at_most_1_error": two_errors(settled <= 1)[1],
        "days_with": np.bincount(settled.astype(int).ravel()).tolist(),
        "day_1": two_errors(alerts[:, :1]),
        "day_2": two_errors(alerts[:, 1:2]),
        "days_3_to_7": two_errors(alerts[:, 2:7]),
        "first_hour": round(float(np.mean([d["first_hour"] for d in found])), 3),
        "weeks": weeks.round(4).tolist(),
        "worst_week": round(float(weeks.max()), 4),
        "slope_a_week": round(slope, 5),
        "by_level": round(sum(d["levels"] for d in found) / max(1.0, float(alerts.sum())), 3),
        "drift_notices": sum(d["notices"] for d in found),
        "state_bytes": max(d["state_bytes"] for d in found),
        "peak_sd": round(float(np.mean([d["peak"] for d in found])), 2),
    }


def _prior(found: list[Figures]) -> Figures:
    alerts = np.concatenate([run["alerts"] for run in found])
    return {
        "days": [two_errors(alerts[:, day : day + 1]) for day in range(alerts.shape[1])],
        "recall": _mean([run["recall"] for run in found]),
    }


def _mean(found: list[Any]) -> Any:
    return np.mean(found, axis=0).round(4).tolist()


def _storms(found: list[Figures]) -> Figures:
    delays = [delay for device in found for delay in device["delay"] if delay is not None]
    moved = [device["moved"] for device in found if device["moved"] is not None]
    return {
        "storms": 2 * len(found),
        "found": round(len(delays) / (2 * len(found)), 3),
        "found_second": round(sum(device["delay"][1] is not None for device in found) / len(found), 3),
        "within_2_min": round(sum(delay <= 120 for delay in delays) / (2 * len(found)), 3),
        "flagged": round(float(np.mean([device["open_share"] for device in found])), 4),
        "median_delay_s": float(np.median(delays)) if delays else None,
        "moved_most": round(max(moved, default=0.0), 5),
    }


def _drift(found: list[Figures]) -> Figures:
    alerts = np.array([device["alerts"] for device in found])
    return {
        "a_day": two_errors(alerts),
        "worst_day": float(alerts.max()),
        "after": two_errors([device["after"] for device in found]),
        "notices": [device["notices"] for device in found],
    }


def _cycle(found: list[Figures]) -> Figures:
    alerts = np.array([device["alerts"] for device in found])
    return {
        "day_1": two_errors(alerts[:, :1]),
        "a_day": two_errors(alerts[:, 7:]),
        "device_days": alerts[:, 7:].size,
        "drift_notices": sum(device["notices"] for device in found),
    }


def _found(found: list[Figures]) -> Figures:
    return {
        "found": round(float(np.mean([device["found"] for device in found])), 3),
        "longest_delay_s": max((device["delay"] for device in found if device["delay"] is not None), default=None),
    }


def _rates(found: list[Any]) -> Figures:
    days = np.asarray(found[0])
    error = 2.0 * days.std(ddof=1) / np.sqrt(len(days))
    return {
        "a_day": [round(float(days.mean()), 3), round(float(error), 3)],
        "at_most_1": round(float((days <= 1).mean()), 3),
    }


def _first(found: list[Any]) -> Any:
    return found[0]


def main() -> None:
    """Runs all rows and keeps them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small part of everything, in about a minute")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="ROW", help="rows that begin so; the others are kept"
    )
    parser.add_argument("--laws", nargs="+", default=LAWS, choices=LAWS, help="with --only: the other laws are kept")
    parser.add_argument("--redraw", action="store_true", help="tables and pictures from the kept result")
    chosen = parser.parse_args()
    if chosen.redraw:
        _show(json.loads(RESULT.read_text(encoding="utf-8"))["figures"])
        return
    size = QUICK if chosen.quick else FULL
    with ProcessPoolExecutor(chosen.processes) as pool, Progress(console=Console(stderr=True)) as progress:
        found = [row for row in figures_of(size, pool.submit, tuple(chosen.only), tuple(chosen.laws)) if row[2]]
        task = progress.add_task("device runs", total=sum(len(futures) for _, _, futures in found))
        for _, _, futures in found:
            for future in futures:
                future.add_done_callback(lambda _: progress.advance(task))
        figures = {name: gather() for name, gather, _ in found}
    if "" not in chosen.only:
        kept = json.loads(RESULT.read_text(encoding="utf-8"))["figures"]
        figures = kept | {name: kept.get(name, {}) | measured for name, measured in figures.items()}
    figures["size"] = asdict(size)
    figures["event_durations_s"], figures["event_sizes_sd"] = list(rows.DURATIONS), list(rows.SIZES)
    if not chosen.quick:
        keep("thresholds", figures)
        _show(figures)
    else:
        print(table.of(figures))


def _show(figures: Figures) -> None:
    pictures.draw(figures)
    table.write(table.of(figures), "table", DOCUMENT)
    table.write(trade.of(figures), "caution", DOCUMENT)


if __name__ == "__main__":
    main()
