"""Measures recipes on data sets and writes ``docs/quality.md``."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.quality.page import PAGE, page_of
from benchmarks.quality.row import Row, save_row, saved_rows
from trainers.recipes.registry import RECIPES

TRANSFER = Path(__file__).parents[1] / "results" / "transfer" / "transfer.md"
"""The table that ``tocsin experiment transfer --out benchmarks/results/transfer`` writes."""

Measure = Callable[[Path | None], Row | None]

MODULES = (
    "benchmarks.quality.conv_ae",
    "benchmarks.quality.fleet",
    "benchmarks.quality.iaia",
    "benchmarks.quality.label",
    "benchmarks.quality.leak",
    "benchmarks.quality.machine",
    "benchmarks.quality.mimii_ae",
    "benchmarks.quality.quick",
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
    """Measures the requested rows, saves each as soon as it is measured, and writes the page."""
    known = rows_to_measure()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"any of {', '.join(known)}; default: all")
    parser.add_argument("--data", type=Path, help="folder of real sets")
    parser.add_argument("--page", action="store_true", help="write the page from the saved rows, measure nothing")
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
    transfer = TRANSFER.read_text(encoding="utf-8") if TRANSFER.exists() else ""
    rows = saved_rows()
    unmeasured = [name for name in known if name not in rows]
    PAGE.write_text(page_of(rows, [*RECIPES, "label"], transfer, unmeasured), encoding="utf-8")


if __name__ == "__main__":
    main()
