"""The result tables as Markdown."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

Figures = dict[str, Any]

_BEGIN, _END = "<!-- real sound -->", "<!-- end of real sound -->"


def of(figures: Figures) -> str:
    """False alarms of each device, then recall by kind."""
    lines = [
        "| device, model | hours | false alarms a day, first 24 h | after | without an event | drift notices |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in figures.items():
        false = one["false_alarms"]
        cells = [_name(name, one), f"{one['hours']:g}"]
        cells += [_rate(false[key]) for key in ("first_24_h_a_day", "after_a_day", "without_event_a_day")]
        lines.append(_line([*cells, str(one["drift_notices"])]))
    lines += ["", "| device, model | event | found | alerts | median delay | median score; threshold; usual score |"]
    lines.append("|---|---|---|---|---|---|")
    for name, one in figures.items():
        if "own model" in name:
            lines.append(_all_kinds(name, one))
            continue
        for kind, of_kind in one["wanted"].items():
            delay = "-" if of_kind["median_delay_s"] is None else f"{of_kind['median_delay_s']:.1f} s"
            scores = (of_kind["median_score"], of_kind["median_threshold"], one["usual_score"])
            levels = of_kind.get("by_level", 0)
            found = f"{of_kind['found']} of {of_kind['events']}" + (f", {levels} by level" if levels else "")
            cells = [_name(name, one), kind, found, str(of_kind["alerts"]), delay]
            lines.append(_line([*cells, "; ".join("-" if s is None else f"{s:.1f}" for s in scores)]))
    for name, one in figures.items():
        if one["harmless"]:
            counts = [f"{kind} {hit} of {n}" for kind, (hit, n) in one["harmless"].items()]
            lines += ["", f"Harmless sounds that raised an alarm in the {name}: {', '.join(counts)}."]
    return "\n".join(lines)


def write(figures: Figures, document: Path) -> None:
    """Replaces the text between the document's two markers, atomically."""
    before, mark, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (mark and end):
        raise ValueError(f"{document}: no line {_BEGIN!r} followed by {_END!r}")
    whole = document.with_suffix(".new")
    whole.write_text(f"{before}{_BEGIN}\n\n{of(figures)}\n\n{_END}{after}", encoding="utf-8")
    whole.replace(document)


def _all_kinds(name: str, one: Figures) -> str:
    """One row for all faults of a device with a model of its own."""
    kinds = list(one["wanted"].values())
    found, events, alerts = (sum(kind[key] for kind in kinds) for key in ("found", "events", "alerts"))
    by_level = sum(kind.get("by_level", 0) for kind in kinds)
    delays = [delay for kind in kinds for delay in kind["delays_s"]]
    delay = f"{statistics.median(delays):.1f} s, at most {max(delays):.1f} s" if delays else "-"
    ranges = [
        f"{min(kind[key] for kind in kinds):.1f} to {max(kind[key] for kind in kinds):.1f}"
        for key in ("median_score", "median_threshold")
    ]
    counted = f"{found} of {events}" + (f", {by_level} by level" if by_level else "")
    cells = [
        _name(name, one),
        "every fault",
        counted,
        str(alerts),
        delay,
        "; ".join([*ranges, f"{one['usual_score']:.1f}"]),
    ]
    return _line(cells)


def _name(name: str, one: Figures) -> str:
    return name.replace("own model", "knn") if "own model" in name else f"{name}, {one['model']}"


def _rate(rate: dict[str, float] | None) -> str:
    if rate is None:
        return "-"
    return (
        f"{rate['alarms']:.1f}"
        if rate["alarms"] == rate["alerts"]
        else f"{rate['alarms']:.1f} ({rate['alerts']:.1f} alerts)"
    )


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
