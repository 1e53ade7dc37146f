"""Text from outside as a terminal, a log or a picture may show it: one line, nothing hidden, no control sequence."""

from __future__ import annotations

import re
from unicodedata import category

# Blank, although Unicode counts them among letters and marks.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_MAX_MARKS = 4
"""Combining marks on one letter: no script needs more, and a pile of them covers the lines above."""


def printable(text: object) -> str:
    r"""The text in one line of visible characters.

    Control characters (C0, DEL, C1), line breaks, bidirectional overrides, characters without width, surrogates and
    private characters are written as Python escapes such as ``\x1b``. All other text is unchanged.
    """
    given = str(text)
    if given.isascii() and given.isprintable():
        return given
    shown, marks = [], 0
    for char in given:
        marks = marks + 1 if category(char) in ("Mn", "Me") else 0
        visible = char.isprintable() and marks <= _MAX_MARKS and not _BLANK.match(char)
        shown.append(char if visible else ascii(char)[1:-1])
    return "".join(shown)


def plot_text(text: object) -> str:
    """As :func:`printable`, for matplotlib: a ``$`` begins no formula, and a ``_`` at the start hides no curve."""
    shown = printable(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def ascii_json(text: str) -> str:
    """JSON in ASCII: everything else can only be in strings, where an escape means the same."""
    return _NOT_ASCII.sub(_escape, text)


_NOT_ASCII = re.compile("[^\n\x20-\x7e]")


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
