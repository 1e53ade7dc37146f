"""Progress bars, on standard error and only on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.progress import track as tracked

from schemas.printable import printable

Item = TypeVar("Item")


def track(sequence: Sequence[Item], description: str, *, done: int = 0, shown: bool = True) -> Iterable[Item]:
    """The items of a sequence, with a progress bar that disappears at the end.

    Without a terminal there is no bar: only results belong in a pipe or a log, and bars draw in threads, which block
    each other if an error leaves one behind and another starts.

    Args:
        sequence: the items.
        description: text in front of the bar.
        done: items finished in an earlier run.
        shown: whether to show a bar.
    """
    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        return sequence
    total = done + len(sequence)
    return tracked(
        sequence, escape(printable(description)), total=total, completed=done, console=console, transient=True
    )


def bar() -> Progress:
    """A bar advanced by the caller; see :func:`track`."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
