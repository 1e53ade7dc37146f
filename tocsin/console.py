"""The console and the tables of the commands: text from outside is plain text in them; see :mod:`tocsin.terminal`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from schemas.printable import printable


def styled(text: object, style: str = "") -> Text:
    """Text from outside as a part of a table or a view, in a style of ours."""
    return Text(printable(text), style=style)


class DataTable(Table):
    """A table whose cells hold text from outside: no markup, one paragraph a cell."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Adds a row; cells that are text become plain text."""
        super().add_row(*(styled(cell) if isinstance(cell, str) else cell for cell in cells), **options)


class PlainConsole(Console):
    """A console that interprets no markup, emoji codes or highlights, and writes no control character that is not its
    own: the last gate, behind :func:`styled`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments to write; escapes what is not printable in them, except our line breaks."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control is None and not text.isprintable():
                lines = "\n".join(printable(line) for line in text.split("\n"))
                yield Segment(lines, segment.style)
            else:
                yield segment

    def print_text(self, text: object, style: str = "") -> None:
        """Prints one line, which is not wrapped."""
        self.print(styled(text, style), soft_wrap=True)


@contextmanager
def spinner(text: str) -> Iterator[Callable[[str], None]]:
    """Shows a spinner with a text on standard error; yields a function that replaces the text."""
    with terminal(stderr=True).status(styled(text)) as status:
        yield lambda changed: status.update(styled(changed))


def terminal(*, stderr: bool = False) -> PlainConsole:
    """The console of standard output, or of standard error."""
    return PlainConsole(stderr=stderr)
