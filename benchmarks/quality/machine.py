"""Rows of the recipe machine: the shipped file, on machines it was not trained on."""

from __future__ import annotations

import statistics
from importlib import resources
from pathlib import Path

import torch
from torch import nn

from benchmarks.quality.row import Figure, Row, cost_of, figure_of
from processors.adapters.models.onnx_model import OnnxModel, load_shipped
from trainers.recipes.machine.data import synthetic_machines
from trainers.recipes.machine.quality import auc_by_fault, bearing_aucs, motor_aucs, score_machines
from trainers.recipes.machine.recipe import SPEC

SEEDS = (101, 102)

_MACHINES, _SECONDS, _FAULTS = 12, 12.0, 5


class Shipped(nn.Module):
    """The file as it serves, where a network is expected."""

    def __init__(self, model: OnnxModel) -> None:
        super().__init__()
        self._model = model

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Scores, float32 (batch,), of windows float32 (batch, n_frames, n_mels) in dB."""
        return torch.from_numpy(self._model.score(log_mel.numpy())[0])


def synthetic(_data: Path | None) -> Row:
    """Machines drawn with other seeds than the training machines."""
    net = Shipped(load_shipped("machine"))
    figures: dict[str, Figure] = {}
    for severity, text in ((0.0, "as loud"), (-6.0, "6 dB below")):
        tables = []
        for seed in SEEDS:
            machines = synthetic_machines(seed, _MACHINES, SPEC, _SECONDS, (severity, severity), _FAULTS)
            tables.append(
                {fault: row["all"] for fault, row in auc_by_fault(score_machines(net, machines, SPEC)).items()}
            )
        figures[f"faults {text}, mean AUC"] = figure_of([statistics.fmean(table.values()) for table in tables])
        lowest = min(tables[0], key=lambda fault: sum(table[fault] for table in tables))
        figures[f"faults {text}, {lowest} (lowest) AUC"] = figure_of([table[lowest] for table in tables])
    on = f"{_MACHINES} synthetic machines a seed, each with five kinds of fault, windows of the same machine compared"
    return _row(on, figures, "these machines come from the same generator as the training machines", 0, synthetic=True)


def bearing(data: Path | None) -> Row | None:
    """A real bearing."""
    if data is None or not (data / "bearing").is_dir():
        return None
    values = list(bearing_aucs(Shipped(load_shipped("machine")), data / "bearing", SPEC).values())
    figures = {
        "faults mean AUC": Figure(round(statistics.fmean(values), 4), round(statistics.stdev(values), 4), len(values)),
        "faults lowest AUC": figure_of([min(values)]),
    }
    on = "motor bearing, five faults, accelerometer at 12 kHz, windows"
    return _row(on, figures, "not trained on it; spread over the faults", 1)


def motor(data: Path | None) -> Row | None:
    """A real motor."""
    if data is None or not (data / "motor").is_dir():
        return None
    found = motor_aucs(Shipped(load_shipped("machine")), data / "motor", SPEC)
    figures = {"pairs, either way round, mean AUC": figure_of([found["mean_separation"]])}
    on = "electric motor, each of five states in turn as normal against each other (20 pairs)"
    note = (
        "it detects faults, not every change: a model not trained on a state as normal scores two states in one"
        " direction only, so the mean over both directions of a pair is .5; the larger of the two is given"
    )
    return _row(on, figures, note, 2, known="mean .84, worst pair .64 for models of the device's own sound")


def _row(
    on: str, figures: dict[str, Figure], note: str, order: int, *, synthetic: bool = False, known: str = ""
) -> Row:
    with resources.as_file(resources.files("processors.shipped_models") / "machine.onnx") as path:
        size, cost = cost_of(path)
    return Row(
        recipe="machine",
        variant="the shipped file",
        on=on,
        synthetic=synthetic,
        parameters=load_shipped("machine").manifest.parameters,
        file_kb=size,
        window_ms=cost,
        figures=figures,
        known=known,
        note=note,
        order=order,
    )


ROWS = {"machine-synthetic": synthetic, "machine-bearing": bearing, "machine-motor": motor}
