"""A row of the table of quality, and where it is kept."""

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
    """A figure with its spread.

    Attributes:
        mean: over the runs.
        sd: standard deviation over them, None where there was one.
        runs: seeds, folds, or both.
    """

    mean: float
    sd: float | None
    runs: int


@dataclass(frozen=True, slots=True)
class Row:
    """A model and what it reaches on a set.

    Attributes:
        recipe: its name.
        variant: what was set, for people.
        on: the set, and the protocol.
        synthetic: whether the set was made, not recorded.
        parameters: weights.
        file_kb: of the ONNX file; None where there is none.
        window_ms: of one core, a window alone, in onnxruntime on one thread; None likewise.
        figures: by name, in the order in which they are to be read.
        known: what others, or the source, reach; for people.
        note: what must be known to read the row.
        order: rows of a recipe stand in this order.
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
    """Size of a model's file in kB, and milliseconds of one core for one window alone: the median of forty."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    manifest, windows, _ = read_metadata(dict(session.get_modelmeta().custom_metadata_map))
    one = {manifest.features.transform: np.ascontiguousarray(windows[:1])}
    taken = []
    for turn in range(_TURNS + 3):
        # The processor's time, not the clock's: other work on the machine is not the model's cost.
        began = time.process_time()
        session.run(None, one)
        if turn >= 3:
            taken.append(time.process_time() - began)
    return round(path.stat().st_size / 1_000, 1), round(1e3 * statistics.median(taken), 3)


def keep_row(name: str, row: Row) -> None:
    """Keeps a row, with the machine it was measured on, in place of the last one of this name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"row": asdict(row), "machine": machine()}, indent=1) + "\n"
    part = FOLDER / f".{name}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(FOLDER / f"{name}.json")


def kept_rows() -> dict[str, Row]:
    """All rows that were kept, by name."""
    rows = {}
    for path in sorted(FOLDER.glob("*.json")):
        fields = json.loads(path.read_text(encoding="utf-8"))["row"]
        fields["figures"] = {name: Figure(**figure) for name, figure in fields["figures"].items()}
        rows[path.stem] = Row(**fields)
    return rows
