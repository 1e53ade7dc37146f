"""Rows of the recipe knn: a motor, a bearing, and MIMII's clip features."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.quality.one_class import motor_set
from benchmarks.quality.row import Figure, Row, cost_of, figure_of
from benchmarks.speed.knn import FULL_SCALE_G, bearing, mimii_ids, motor_pairs
from trainers.export.artefact import write
from trainers.recipe import Trained
from trainers.recipes.knn.data import ContinuousAudio
from trainers.recipes.knn.options import KnnOptions, spec_of
from trainers.recipes.knn.recipe import KnnRecipe, train_knn

_RULE = "distance to the nearest normal rows where normal sound is white, no iteration, no seed"
_KNOWN = {
    "fan": "closed form .992 .951 .865, MIMII's own AE .920 .805 .681 at 6, 0, -6 dB",
    "pump": "closed form .971 .924 .857, MIMII's own AE .799 .734 .670 at 6, 0, -6 dB",
}
_LEVELS = {"6dB": "6 dB", "0dB": "0 dB", "-6dB": "-6 dB"}
_SEED = 7


def motor(data: Path | None, order: int, *, blocks: bool) -> Row | None:
    """Five states of a motor, each in turn as normal."""
    folder = motor_set(data)
    if data is None or folder is None:
        return None
    pairs = motor_pairs(data / "motor", spec_of(KnnOptions(window=3)), blocks=blocks)
    worst = min(pairs, key=lambda pair: pairs[pair])
    held_out = "a contiguous quarter of the clips" if blocks else "every fourth clip"
    return _row(
        KnnRecipe().train(folder, _SEED, {"window": "3"}),
        variant="window=3",
        on=f"electric motor, each of five states in turn as normal against each other (20 pairs), {held_out} held out",
        figures={"pairs mean AUC": _spread(list(pairs.values())), "pairs worst AUC": figure_of([pairs[worst]])},
        known="mean .84, worst pair .64 (Mahalanobis of means and deviations of log-mels)",
        note=f"spread over the pairs; the worst is {' against '.join(worst)}"
        + ("; the motor drifts from one part of its recordings to the next" if blocks else ""),
        order=order,
    )


def accelerometer(data: Path | None) -> Row | None:
    """Five faults of a bearing."""
    if data is None or not (data / "bearing" / "normal.npz").is_file():
        return None
    with np.load(data / "bearing" / "normal.npz") as arrays:
        sound = (arrays["acceleration_g"] / FULL_SCALE_G).astype(np.float32)
        audio = ContinuousAudio(sound, int(arrays["sample_rate_hz"]), "")
    values = list(bearing(data / "bearing").values())
    return _row(
        train_knn([audio], "knn", "a motor bearing", _SEED, KnnOptions(window=1)),
        variant="window=1",
        on="motor bearing, five faults, accelerometer at 12 kHz; trained on 8 s of normal sound, 4 s held out",
        figures={"faults mean AUC": _spread(values), "faults lowest AUC": figure_of([min(values)])},
        known="",
        note="spread over the faults",
        order=2,
    )


def features(data: Path | None, machine: str, order: int) -> Row | None:
    """Clip features of real machines, all four ids, the same rule for all."""
    archive = None if data is None else data / "mimii-features" / f"{machine}.npz"
    if archive is None or not archive.is_file():
        return None
    found = mimii_ids(archive)
    return _row(
        None,
        variant=_RULE,
        on=f"real MIMII features, {machine}, MIMII's own protocol, all four machines",
        figures={f"AUC {text}": _spread(list(found[level].values())) for level, text in _LEVELS.items()},
        known=_KNOWN[machine],
        note="spread over the four machines; features without sound give no model file",
        order=order,
    )


def _spread(values: list[float]) -> Figure:
    """Mean and standard deviation over what is no run: pairs, faults, machines."""
    return Figure(round(statistics.fmean(values), 4), round(statistics.stdev(values), 4), len(values))


def _row(
    trained: Trained | None, *, variant: str, on: str, figures: dict[str, Figure], known: str, note: str, order: int
) -> Row:
    parameters, file_kb, window_ms = 0, None, None
    if trained is not None and trained.model is not None:
        parameters = trained.model.parameters
        with tempfile.TemporaryDirectory() as out:
            file_kb, window_ms = cost_of(write(trained, Path(out), _SEED, "0.1.0"))
    return Row("knn", variant, on, False, parameters, file_kb, window_ms, figures, known, note, order)


ROWS = (
    {
        f"knn-motor{'-blocks' if blocks else ''}": (
            lambda data, blocks=blocks, order=order: motor(data, order, blocks=blocks)
        )
        for order, blocks in enumerate((False, True))
    }
    | {"knn-bearing": accelerometer}
    | {
        f"knn-mimii-{machine}": (lambda data, machine=machine, order=order: features(data, machine, order))
        for machine, order in zip(_KNOWN, itertools.count(3))
    }
)
