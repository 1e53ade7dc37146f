"""Progress bars: on standard error, and only where somebody looks on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress
from rich.progress import track as tracked

Item = TypeVar("Item")


def track(sequence: Sequence[Item], description: str, *, done: int = 0, shown: bool = True) -> Iterable[Item]:
    """The items of a sequence, with a bar beside them that goes when they are through.

    Without a terminal there is no bar: nothing but the results belongs into a pipe or a log, and bars draw in threads,
    which lock each other out where one was left behind by an error and another begins.

    Args:
        sequence: what is gone through.
        description: stands before the bar.
        done: items that were gone through in an earlier run.
        shown: whether there is a bar at all.
    """
    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        return sequence
    total = done + len(sequence)
    return tracked(sequence, description, total=total, completed=done, console=console, transient=True)


def bar() -> Progress:
    """A bar to be moved by hand; see :func:`track`."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
