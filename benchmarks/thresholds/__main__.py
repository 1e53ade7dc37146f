"""False alarms, recall and delay of the threshold rule and of baselines, on five score distributions.

``python -m benchmarks.thresholds`` saves ``results/thresholds.json``, draws the plots and writes the tables of two
pages in ``docs/appendix``, with two standard errors; it needs libspot and scipy. ``--only`` measures the rows whose
names start with the given prefixes, ``--distributions`` only some distributions; all other saved figures stay.
``--redraw`` draws and writes from the saved result. ``--quick`` runs a small part of everything and saves nothing.
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

from rich.console import Console
from rich.progress import Progress

from benchmarks.result import save
from benchmarks.thresholds import ablation, baselines, plots, rows, storage_cost, summaries, table, trade_off
from benchmarks.thresholds.distributions import DAY, DISTRIBUTIONS
from benchmarks.thresholds.scenarios import HOUR

Figures = dict[str, Any]

RESULT = Path(__file__).parents[1] / "results" / "thresholds.json"
APPENDIX = Path(__file__).parents[2] / "docs" / "appendix"
MEASURED, FIRST_WEEK = APPENDIX / "thresholds-measured.md", APPENDIX / "thresholds-first-week.md"

BUDGETS = {"1 a month": 7 / 30.44, "1 a week": 1.0, "1 a day": 7.0}
OBSERVED = {"36 s": 36, "hour 1": HOUR, "hour 24": DAY, "day 8": 8 * DAY}
CURVE = (0.25, 1.0, 7.0, 28.0)
FORMER_WORDS = {
    "promise": "false-alarm budget",
    "storms": "sustained fault",
    "storm": "sustained fault",
    "rival": "baseline",
    "caution": "ablation",
    "rarity": "max_extrapolation",
    "learning": "calibration_factor",
    "far": "inner_weight",
    "kept": "storage",
}
"""Words of row names as earlier versions had them; ``--only`` still takes them."""
DRIFTING_BASELINES = ("libspot, n_init 86,400", "EWMA + 5 sd")


@dataclass(frozen=True)
class Size:
    """How much is simulated.

    Attributes:
        devices, days: of the false-alarm budget rows, for each distribution.
        cycling: devices with a daily cycle.
        long: devices of the half-year run, of the budget of one a month and of contaminated calibrations.
        half_year: days of the long run, Gamma only.
        few: devices of the smaller rows.
        ablation_devices: of each ablation variant, except those with a daily cycle.
        baseline_devices: two days each after one day of calibration.
        stored_devices: devices whose states are stored in one Redis.
    """

    devices: int
    days: int
    cycling: int
    long: int
    half_year: int
    few: int
    ablation_devices: int
    baseline_devices: int
    stored_devices: int


FULL, QUICK = Size(240, 28, 120, 60, 189, 10, 60, 30, 10_000), Size(2, 21, 1, 2, 21, 1, 1, 1, 100)


def figures_of(
    size: Size,
    submit: Callable[..., Future[Any]],
    only: tuple[str, ...] = ("",),
    distributions: tuple[str, ...] = DISTRIBUTIONS,
) -> Iterator[tuple[str, Callable[[], Any], list[Future[Any]]]]:
    """Rows whose names start with one of ``only``, for some distributions.

    Yields:
        Name, a function that waits for the figures, and the futures of its runs.
    """

    def each(
        name: str, keys: tuple[Any, ...], runs: Callable[[Any], list[Future[Any]]], gather: Callable[[list[Any]], Any]
    ) -> tuple[str, Callable[[], Any], list[Future[Any]]]:
        wanted = (
            [key for key in keys if key in distributions or key not in DISTRIBUTIONS] if name.startswith(only) else []
        )
        found = {str(key): runs(key) for key in wanted}
        flat = [future for futures in found.values() for future in futures]
        return name, lambda: {key: gather([f.result() for f in futures]) for key, futures in found.items()}, flat

    many, long, few = range(size.devices), range(size.long), range(size.few)
    yield each(
        "false-alarm budget",
        DISTRIBUTIONS,
        lambda distribution: [submit(rows.alerts_by_day, distribution, seed, 1.0, size.days) for seed in many],
        summaries.budget,
    )
    yield each(
        "half a year",
        ("gamma",),
        lambda distribution: [
            submit(rows.alerts_by_day, distribution, 100 + seed, 1.0, size.half_year) for seed in long
        ],
        summaries.budget,
    )
    for name in ("1 a month", "1 a day"):
        n = min(size.half_year, 63 if name == "1 a month" else 21)
        devices = long if name == "1 a month" else few
        yield each(
            name,
            DISTRIBUTIONS,
            lambda distribution, s=BUDGETS[name], n=n, of=devices: [
                submit(rows.alerts_by_day, distribution, 500 + d, s, n) for d in of
            ],
            summaries.budget,
        )
    yield each(
        "prior",
        DISTRIBUTIONS,
        lambda distribution: [
            submit(rows.with_prior, distribution, seed, 3) for seed in range(600, 600 + max(1, size.few // 5))
        ],
        summaries.prior,
    )
    for name, observed in OBSERVED.items():
        yield each(
            f"recall {name}",
            DISTRIBUTIONS,
            lambda distribution, h=observed: [submit(rows.recall, distribution, 700 + d, 1.0, h) for d in few],
            summaries.mean,
        )
        if observed >= HOUR:
            yield each(
                f"sustained fault {name}",
                DISTRIBUTIONS,
                lambda distribution, h=observed: [submit(rows.sustained_faults, distribution, 800 + d, h) for d in few],
                summaries.sustained_faults,
            )
    for per_week in CURVE:
        yield each(
            f"curve {per_week:g}",
            DISTRIBUTIONS,
            lambda distribution, s=per_week: [
                submit(rows.recall, distribution, 900 + d, s, 15 * DAY) for d in range(max(1, size.few // 2))
            ],
            summaries.mean,
        )
    yield each(
        "drift",
        DISTRIBUTIONS,
        lambda distribution: [submit(rows.drifting, distribution, 1_000 + d) for d in few],
        summaries.drift,
    )
    yield each(
        "cycle",
        DISTRIBUTIONS,
        lambda distribution: [submit(rows.daily_cycle, distribution, 1_100 + d) for d in range(size.cycling)],
        summaries.cycle,
    )
    yield each(
        "contaminated",
        ("sustained fault", "events"),
        lambda kind: [submit(rows.contaminated, kind, 1_200 + d) for d in long],
        summaries.contaminated,
    )
    for row in ablation.row_plans(size.ablation_devices, size.cycling, submit):
        yield each(*row)
    for name in baselines.BASELINES:
        yield each(
            f"baseline {name}",
            DISTRIBUTIONS,
            lambda distribution, r=name: [
                submit(baselines.false_alarms, distribution, r, size.baseline_devices, 2, 1_300)
            ],
            summaries.baseline_rates,
        )
        yield each(
            f"baseline sustained fault {name}",
            ("gamma",),
            lambda _, r=name: [submit(baselines.in_sustained_fault, r, 1_400)],
            summaries.single,
        )
    for name in DRIFTING_BASELINES:
        yield each(
            f"baseline drift {name}",
            DISTRIBUTIONS,
            lambda distribution, r=name: [submit(baselines.in_drift, distribution, r, 1, 1_500)],
            summaries.single,
        )
    yield each("cost", ("gamma",), lambda _: [submit(rows.cost)], summaries.single)
    yield each("storage", ("gamma",), lambda _: [submit(storage_cost.storage, size.stored_devices)], summaries.single)


def current_name(name: str) -> str:
    """A row's name, or the beginning of one, with the words of earlier versions replaced."""
    return " ".join(FORMER_WORDS.get(word, word) for word in name.split(" "))


def main() -> None:
    """Runs the chosen rows and saves their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small part of everything, in about a minute")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="PREFIX", help="rows whose names start so; the others stay as saved"
    )
    parser.add_argument(
        "--distributions",
        "--laws",  # the former name
        nargs="+",
        default=DISTRIBUTIONS,
        choices=DISTRIBUTIONS,
        help="with --only: the other distributions stay as saved",
    )
    parser.add_argument("--redraw", action="store_true", help="tables and plots from the saved result")
    chosen = parser.parse_args()
    if chosen.redraw:
        _show(json.loads(RESULT.read_text(encoding="utf-8"))["figures"])
        return
    size, only = (QUICK if chosen.quick else FULL), tuple(current_name(name) for name in chosen.only)
    with ProcessPoolExecutor(chosen.processes) as pool, Progress(console=Console(stderr=True)) as progress:
        found = [row for row in figures_of(size, pool.submit, only, tuple(chosen.distributions)) if row[2]]
        task = progress.add_task("device runs", total=sum(len(futures) for _, _, futures in found))
        for _, _, futures in found:
            for future in futures:
                future.add_done_callback(lambda _: progress.advance(task))
        figures = {name: gather() for name, gather, _ in found}
    if "" not in only:
        saved = json.loads(RESULT.read_text(encoding="utf-8"))["figures"]
        figures = saved | {name: saved.get(name, {}) | measured for name, measured in figures.items()}
    figures["size"] = asdict(size)
    figures["event_durations_s"], figures["event_sizes_sd"] = list(rows.DURATIONS), list(rows.SIZES)
    if not chosen.quick:
        save("thresholds", figures)
        _show(figures)
    else:
        print(table.of(figures))


def _show(figures: Figures) -> None:
    plots.draw(figures)
    table.write(table.of(figures), "table", MEASURED)
    table.write(trade_off.of(figures), "ablation", FIRST_WEEK)


if __name__ == "__main__":
    main()
