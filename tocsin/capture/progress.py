"""Progress of a long task: a bar on a terminal, one line per task elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tocsin.console import terminal
from tocsin.diagnostics import log_line


class Advance(Protocol):
    """Called with the number of steps just completed."""

    def __call__(self, done: int) -> None: ...


def _ignore(done: int) -> None:
    """Shows nothing."""


@contextmanager
def progress_bar(task: str, total: int, unit: str) -> Iterator[Advance]:
    """Shows the progress of a task.

    Args:
        task: what is being done.
        total: number of steps.
        unit: of the steps, plural.
    """
    if not sys.stderr.isatty():
        log_line(f"{task}: {total} {unit}")
        yield _ignore
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal(stderr=True), transient=True) as bar:
        bar_id: TaskID = bar.add_task(task, total=total)
        yield lambda done: bar.advance(bar_id, done)
