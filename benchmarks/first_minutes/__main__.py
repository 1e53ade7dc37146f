"""Thresholds in the first minutes: false alarms of healthy synthetic machines, faults found, the demo's outcome.

``python -m benchmarks.first_minutes`` plays healthy machines for five minutes, machines with a fault as loud as
themselves after 35 s, and the demo's factory with many seeds, through the shipped models and the serving core; it saves
``results/first_minutes.json`` and writes its table into ``docs/appendix/first-minutes.md``. ``--healthy``, ``--faults``
and ``--demos`` set how many; ``--cache`` keeps the scores, so that the next run with it only decides.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import tempfile
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.first_minutes import table
from benchmarks.first_minutes.devices import HEALTHY_S, STARTS, PlayedDevice, PlayedSound, factory, faulty, healthy
from benchmarks.result import save
from benchmarks.window_scores import WindowScores, decisions_on, scores_of
from processors.adapters.models.onnx_model import OnnxModel, load_shipped
from synthesis.fault import FAULTS
from synthesis.sound import SAMPLE_RATE

Figures = dict[str, Any]

DOCUMENT = Path(__file__).parents[2] / "docs" / "appendix" / "first-minutes.md"
SEED = 40
_SHOWN = 20


def scores_in(one: PlayedDevice, folder: Path) -> WindowScores:
    """The window scores of a device, from the cache if they are there."""
    saved = folder / f"{one.name}-{one.seconds:g}-s.npz"
    try:
        return WindowScores.load(saved)
    except (OSError, zipfile.BadZipFile):
        source = PlayedSound(one.device, int(one.seconds * SAMPLE_RATE))
        scores = scores_of(_model_of(one), [(0, source)], lambda _: None)
        scores.save(saved)
        return scores


def alerts_of(scores: WindowScores, model: OnnxModel) -> list[tuple[float, str]]:
    """Alerts: second at which each opens, and its kind, ``peak`` or ``level``."""
    alerts = ((output.score, output.alert) for _, output in decisions_on(scores, model))
    return [
        (round(score.end_sample / SAMPLE_RATE, 2), alert.kind)
        for score, alert in alerts
        if alert is not None and alert.state == "opened"
    ]


def healthy_machine(folder: Path, number: int) -> list[list[tuple[float, str]]]:
    """Alerts of a healthy machine, from each of its beginnings."""
    one = healthy(SEED, number)
    scores = scores_in(one, folder)
    turns = [start * len(scores.score) // STARTS for start in range(STARTS)]
    return [alerts_of(replace(scores, score=np.roll(scores.score, -turn)), _model_of(one)) for turn in turns]


def faulty_machine(folder: Path, number: int, fault: str) -> Figures:
    """Alerts of a machine with a fault, before it begins and afterwards."""
    return _split(faulty(SEED, number, fault), folder)


def demo(folder: Path, number: int) -> Figures:
    """What the demo would show with seed ``number``, without the model that ``pump-3`` trains: which devices are wrong.

    A device that should raise an alert is right if it raises one after its fault or scream began, and none before.
    """
    missed, false = [], []
    for one in factory(number):
        found = _split(one, folder)
        if one.device.expects_alert and not found["after"]:
            missed.append(one.device.device_id)
        if found["before"]:
            false.append(one.device.device_id)
    return {"missed": missed, "false": false}


def _split(one: PlayedDevice, folder: Path) -> Figures:
    alerts = alerts_of(scores_in(one, folder), _model_of(one))
    before = [alert for alert in alerts if alert[0] < one.onset_s]
    return {"before": before, "after": [(round(at - one.onset_s, 2), kind) for at, kind in alerts[len(before) :]]}


def _model_of(one: PlayedDevice) -> OnnxModel:
    return _shipped("machine" if one.device.kind == "machine" else "scream")


@cache
def _shipped(detector: str) -> OnnxModel:
    return load_shipped(detector)


def figures_of(
    healthy_runs: list[list[list[tuple[float, str]]]], fault_runs: dict[str, list[Figures]], demos: list[Figures]
) -> Figures:
    """Counts of all groups."""
    alarmed = {f"{n}.{start}": a[0] for n, one in enumerate(healthy_runs) for start, a in enumerate(one) if a}
    faults = {}
    for kind, runs in fault_runs.items():
        delays = sorted(one["after"][0][0] for one in runs if one["after"])
        faults[kind] = {
            "machines": len(runs),
            "found": len(delays),
            "false_before": sum(bool(one["before"]) for one in runs),
            "median_delay_s": delays[len(delays) // 2] if delays else None,
            "missed": [n for n, one in enumerate(runs) if not one["after"]][:_SHOWN],
        }
    wrong = {str(n): one for n, one in enumerate(demos) if one["missed"] or one["false"]}
    return {
        "healthy": {
            "machines": len(healthy_runs),
            "beginnings": STARTS * len(healthy_runs),
            "minutes": HEALTHY_S / 60.0,
            "alarmed": len(alarmed),
            "first_alarms": dict(list(alarmed.items())[:_SHOWN]),
        },
        "faults": faults,
        "demo": {"seeds": len(demos), "right": len(demos) - len(wrong), "wrong": dict(list(wrong.items())[:_SHOWN])},
    }


def main() -> None:
    """Plays all devices, saves their figures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--healthy", type=int, default=64, help="healthy machines, each from sixteen beginnings")
    parser.add_argument("--faults", type=int, default=20, help="machines with each kind of fault")
    parser.add_argument("--demos", type=int, default=25, help="seeds of the demo's factory")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder for scores, used again by the next run with it")
    parser.add_argument("--no-save", action="store_true", help="print the table only")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(chosen.processes) as pool:
        folder: Path = chosen.cache or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        numbers = range(chosen.faults)
        healthy_runs = pool.map(partial(healthy_machine, folder), range(chosen.healthy))
        fault_runs = {
            kind: pool.map(partial(faulty_machine, folder), numbers, [kind] * len(numbers)) for kind in FAULTS
        }
        demos = pool.map(partial(demo, folder), range(chosen.demos))
        console = Console(stderr=True)
        figures = figures_of(
            list(track(healthy_runs, "healthy machines", chosen.healthy, console=console)),
            {kind: list(track(runs, kind, chosen.faults, console=console)) for kind, runs in fault_runs.items()},
            list(track(demos, "demos", chosen.demos, console=console)),
        )
    if chosen.no_save:
        print(table.of(figures))
        return
    save("first_minutes", figures)
    table.write(figures, DOCUMENT)


if __name__ == "__main__":
    main()
