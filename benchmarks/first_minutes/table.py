"""The result table as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Figures = dict[str, Any]

_BEGIN, _END = "<!-- first minutes -->", "<!-- end of first minutes -->"


def of(figures: Figures) -> str:
    """Healthy machines, each kind of fault, the demo."""
    healthy, demo = figures["healthy"], figures["demo"]
    first = ", ".join(f"{at:.1f} s ({kind})" for at, kind in healthy["first_alarms"].values())
    lines = ["| | of | | |", "|---|---|---|---|"]
    lines.append(
        f"| beginnings of {healthy['machines']} healthy machines with an alarm within {healthy['minutes']:g} minutes "
        f"| {healthy['beginnings']:,} "
        f"| {healthy['alarmed']} | {f'first at {first}' if first else '-'} |"
    )
    for kind, one in figures["faults"].items():
        delay = "-" if one["median_delay_s"] is None else f"median delay {one['median_delay_s']:.1f} s"
        false = f"; {one['false_before']} alarmed before" if one["false_before"] else ""
        lines.append(f"| faults found: {kind} | {one['machines']} | {one['found']} | {delay}{false} |")
    wrong = "; ".join(f"seed {n}: {', '.join(one['missed'] + one['false'])}" for n, one in demo["wrong"].items())
    lines.append(f"| demos with the right outcome | {demo['seeds']} | {demo['right']} | {wrong or '-'} |")
    return "\n".join(lines)


def write(figures: Figures, document: Path) -> None:
    """Replaces the text between the document's two markers.

    Raises:
        ValueError: the markers are missing.
    """
    before, mark, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (mark and end):
        raise ValueError(f"{document}: no line {_BEGIN!r} followed by {_END!r}")
    document.write_text(f"{before}{_BEGIN}\n\n{of(figures)}\n\n{_END}{after}", encoding="utf-8")
