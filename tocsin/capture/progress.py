"""How far a long task is: a bar where somebody looks, one line a step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tocsin.diagnostics import say


class Advance(Protocol):
    """Told how much more is done."""

    def __call__(self, done: int) -> None: ...


def _unseen(done: int) -> None:
    """Nobody looks."""


@contextmanager
def steps(what: str, total: int, unit: str) -> Iterator[Advance]:
    """A task of ``total`` steps.

    Args:
        what: is done, for people.
        total: steps.
        unit: of them, plural.
    """
    if not sys.stderr.isatty():
        say(f"{what}: {total} {unit}")
        yield _unseen
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task: TaskID = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
