"""Audacity label tracks: text with one labelled interval per line.

A line holds start and end in seconds and a label, separated by tabs; a line that starts with a backslash holds the
frequency range of the previous label and is skipped. Audacity manual, "Importing and Exporting Labels".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UnreadableInput
from trainers.files import write_atomically

SUFFIX = ".txt"


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled interval of a recording.

    Attributes:
        start_s, end_s: seconds from the recording's start, 0 <= start_s <= end_s.
        text: the label; no tab or line break.
    """

    start_s: float
    end_s: float
    text: str


def labels_beside(recording: Path) -> list[Label] | None:
    """The labels in ``clip.txt`` next to ``clip.wav``, in order of time; None without such a file.

    Raises:
        UnreadableInput: the file cannot be read as labels.
    """
    path = recording.with_suffix(SUFFIX)
    return read_labels(path) if path.is_file() else None


def read_labels(path: Path) -> list[Label]:
    """All labels of a file, in order of time.

    Raises:
        UnreadableInput: the file cannot be read, or a line is not a label.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UnreadableInput.of(path, error) from None
    except UnicodeDecodeError:
        raise UnreadableInput(f"{path} is not UTF-8 text: export the labels from Audacity again") from None
    labels = [
        _label(path, number, line)
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("\\")
    ]
    return sorted(labels, key=lambda label: (label.start_s, label.end_s))


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """Writes labels in Audacity's import format, atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = [f"{label.start_s:.6f}\t{label.end_s:.6f}\t{label.text}\n" for label in labels]
    write_atomically(path, "".join(lines).encode())


def _label(path: Path, number: int, line: str) -> Label:
    start, _, rest = line.partition("\t")
    end, _, text = rest.partition("\t")
    try:
        # Audacity writes the decimal separator of the user's locale.
        start_s, end_s = float(start.replace(",", ".")), float(end.replace(",", "."))
    except ValueError:
        raise UnreadableInput(f"{path}, line {number}: {line!r} is not 'start TAB end TAB label'") from None
    if not (math.isfinite(end_s) and 0.0 <= start_s <= end_s):
        raise UnreadableInput(f"{path}, line {number}: {line!r} must satisfy 0 <= start <= end")
    return Label(start_s, end_s, text.strip())
