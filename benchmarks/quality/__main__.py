"""Measures recipes on data sets and writes the quality pages in ``docs/appendix``."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.quality.page import FOLDER, pages_of
from benchmarks.quality.row import Row, save_row, saved_rows
from trainers.recipes.registry import RECIPES

TRANSFER = Path(__file__).parents[1] / "results" / "transfer"
"""The table and the plot that ``tocsin experiment transfer --out benchmarks/results/transfer`` writes."""

Measure = Callable[[Path | None], Row | None]

MODULES = (
    "benchmarks.quality.conv_ae",
    "benchmarks.quality.embedding",
    "benchmarks.quality.iaia",
    "benchmarks.quality.label",
    "benchmarks.quality.leak",
    "benchmarks.quality.machine",
    "benchmarks.quality.mimii_ae",
    "benchmarks.quality.knn",
    "benchmarks.quality.scream",
)
"""Each has ``ROWS``: a function per row that takes the folder of real sets, or None, and gives None without its set."""


def rows_to_measure() -> dict[str, Measure]:
    """All known rows, by name."""
    rows: dict[str, Measure] = {}
    for module in MODULES:
        rows |= import_module(module).ROWS
    return rows


def main() -> None:
    """Measures the requested rows, saves each as soon as it is measured, and writes the pages."""
    known = rows_to_measure()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"any of {', '.join(known)}; default: all")
    parser.add_argument("--data", type=Path, help="folder of real sets")
    parser.add_argument("--page", action="store_true", help="write the pages from the saved rows, measure nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.rows) - set(known)
    if unknown:
        parser.error(f"unknown row {', '.join(sorted(unknown))}; known rows: {', '.join(known)}")
    for name in [] if chosen.page else chosen.rows or list(known):
        row = known[name](chosen.data)
        if row is None:
            print(f"{name}: skipped, its data set is missing", file=sys.stderr)
            continue
        save_row(name, row)
        print(name, *(f"{label} {figure.mean:.3f}" for label, figure in row.figures.items()), sep="  ")
    write_pages(FOLDER)


def write_pages(folder: Path) -> None:
    """Renders all pages from the saved rows into a folder, with the plot that one of them shows."""
    table, plot = TRANSFER / "transfer.md", TRANSFER / "transfer.png"
    rows = saved_rows()
    unmeasured = [name for name in rows_to_measure() if name not in rows]
    transfer = table.read_text(encoding="utf-8") if table.exists() else ""
    for name, text in pages_of(rows, [*RECIPES, "label"], transfer, unmeasured).items():
        (folder / name).write_text(text, encoding="utf-8")
    if transfer:
        shutil.copyfile(plot, folder / plot.name)


if __name__ == "__main__":
    main()
