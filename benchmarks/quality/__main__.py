"""Measures rows and writes the page; see ``docs/quality.md``."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.quality.page import PAGE, page_of
from benchmarks.quality.row import Row, keep_row, kept_rows
from trainers.recipes.registry import RECIPES

TRANSFER = Path(__file__).parents[1] / "results" / "transfer" / "transfer.md"
"""Where ``tocsin study transfer --out benchmarks/results/transfer`` puts its table."""

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
"""Each has ``ROWS``: a function a row, given the folder of real sets or None; None where its set is not there."""


def rows_to_measure() -> dict[str, Measure]:
    """All rows there are, by name."""
    rows: dict[str, Measure] = {}
    for module in MODULES:
        rows |= import_module(module).ROWS
    return rows


def main() -> None:
    """Measures the rows that were asked for, keeps each at once, and writes the page."""
    known = rows_to_measure()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(known)}; all, unless some are named")
    parser.add_argument("--data", type=Path, help="folder of real sets")
    parser.add_argument("--page", action="store_true", help="write the page from what is kept, measure nothing")
    asked = parser.parse_args()
    unknown = set(asked.rows) - set(known)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    for name in [] if asked.page else asked.rows or list(known):
        row = known[name](asked.data)
        if row is None:
            print(f"{name}: its set is not there, passed over", file=sys.stderr)
            continue
        keep_row(name, row)
        print(name, *(f"{what} {figure.mean:.3f}" for what, figure in row.figures.items()), sep="  ")
    transfer = TRANSFER.read_text(encoding="utf-8") if TRANSFER.exists() else ""
    rows = kept_rows()
    unmeasured = [name for name in known if name not in rows]
    PAGE.write_text(page_of(rows, [*RECIPES, "label"], transfer, unmeasured), encoding="utf-8")


if __name__ == "__main__":
    main()
