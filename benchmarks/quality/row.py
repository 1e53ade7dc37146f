"""A row of the quality tables, and its file."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.result import machine
from schemas.manifest import read_metadata

FOLDER = Path(__file__).parents[1] / "results" / "quality"

_TURNS = 40


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure with its spread.

    Attributes:
        mean: over the runs.
        sd: standard deviation over the runs; None for a single run.
        runs: seeds, folds, or both.
    """

    mean: float
    sd: float | None
    runs: int


@dataclass(frozen=True, slots=True)
class Row:
    """A model and its figures on a data set.

    Attributes:
        recipe: its name.
        variant: its settings, for people.
        on: data set and protocol, for people.
        synthetic: whether the set is synthetic, not recorded.
        parameters: number of weights.
        file_kb: size of the ONNX file, kB; None without one.
        window_ms: onnxruntime time of a single window on one thread, ms; None without a file.
        figures: by name, in display order.
        known: published or earlier results, for people.
        note: remarks needed to read the row.
        order: sort key within a recipe.
    """

    recipe: str
    variant: str
    on: str
    synthetic: bool
    parameters: int
    file_kb: float | None
    window_ms: float | None
    figures: Mapping[str, Figure]
    known: str = ""
    note: str = ""
    order: int = field(default=0)


def figure_of(values: Sequence[float]) -> Figure:
    """Mean and standard deviation of a figure's runs."""
    sd = round(statistics.stdev(values), 4) if len(values) > 1 else None
    return Figure(round(statistics.fmean(values), 4), sd, len(values))


def cost_of(path: Path) -> tuple[float, float]:
    """Size of a model file, kB, and CPU time of a single window, ms: the median of forty runs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    manifest, windows, _ = read_metadata(dict(session.get_modelmeta().custom_metadata_map))
    one = {manifest.features.transform: np.ascontiguousarray(windows[:1])}
    seconds = []
    for turn in range(_TURNS + 3):
        # CPU time, not wall time: other work on the machine is not the model's cost.
        began = time.process_time()
        session.run(None, one)
        if turn >= 3:
            seconds.append(time.process_time() - began)
    return round(path.stat().st_size / 1_000, 1), round(1e3 * statistics.median(seconds), 3)


def save_row(name: str, row: Row) -> None:
    """Saves a row with the machine it was measured on; replaces the last one of this name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"row": asdict(row), "machine": machine()}, indent=1) + "\n"
    part = FOLDER / f".{name}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(FOLDER / f"{name}.json")


def saved_rows() -> dict[str, Row]:
    """All saved rows, by name."""
    rows = {}
    for path in sorted(FOLDER.glob("*.json")):
        fields = json.loads(path.read_text(encoding="utf-8"))["row"]
        fields["figures"] = {name: Figure(**figure) for name, figure in fields["figures"].items()}
        rows[path.stem] = Row(**fields)
    return rows
