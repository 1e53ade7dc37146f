"""All output of the commands: text from topics, files and headers reaches a terminal as plain text, a record a line.

Nothing else in the product prints; a test enforces it.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from schemas.printable import ascii_json, printable


def print_line(text: object = "") -> None:
    """Prints one line on standard output."""
    print(printable(text), flush=True)


def print_lines(lines: Iterable[object]) -> None:
    """Prints each on a line of its own."""
    for line in lines:
        print_line(line)


def print_error(text: object) -> None:
    """Prints one line on standard error."""
    print(printable(text), file=sys.stderr, flush=True)


def print_error_lines(text: str) -> None:
    """Prints text of several lines on standard error, such as the end of a service's log."""
    for line in text.splitlines():
        print_error(line)


def print_json(content: Any) -> None:
    """Prints one line of JSON in ASCII: a model, or anything that JSON holds, with models and tuples in it."""
    text = content.model_dump_json() if isinstance(content, BaseModel) else json.dumps(content, default=_json_value)
    print(ascii_json(text), flush=True)


def accept_all_text() -> None:
    """Lets both outputs take text that the terminal's encoding lacks; it is written as escapes."""
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")


def _json_value(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")
