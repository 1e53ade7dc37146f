"""The table of a run, as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.threshold_runs.laws import LAWS

Figures = dict[str, Any]

_BEGIN, _END = "<!-- table -->", "<!-- end of table -->"


def of(figures: Figures) -> str:
    """One line for each promise, one column for each law."""
    promise, drift, cycle = figures["promise"], figures["drift"], figures["cycle"]

    def error(pair: list[float]) -> str:
        return f"{pair[0]:.3f} ± {pair[1]:.3f}"

    lines = [
        _line("", LAWS),
        _line("---", ["---"] * len(LAWS)),
        _line("device-days after day 7", [f"{promise[law]['device_days']:,}" for law in LAWS]),
        _line("false alarms a day after day 7", [error(promise[law]["a_day"]) for law in LAWS]),
        _line("worst of the weeks", [f"{promise[law]['worst_week']:.3f}" for law in LAWS]),
        _line("trend of the weeks, a week", [f"{promise[law]['slope_a_week']:+.4f}" for law in LAWS]),
        _line("device-days with at most 1", [f"{promise[law]['at_most_1']:.2%}" for law in LAWS]),
        _line("first 24 hours", [error(promise[law]["day_1"]) for law in LAWS]),
        _line("day 2", [error(promise[law]["day_2"]) for law in LAWS]),
        _line("days 3 to 7, a day", [error(promise[law]["days_3_to_7"]) for law in LAWS]),
        _line("first 24 hours after devices of the kind", [error(figures["prior"][law]["days"][0]) for law in LAWS]),
        _line("set to 1 a day (1.0)", [error(figures["1 a day"][law]["a_day"]) for law in LAWS]),
        _line("set to 1 a month (0.033)", [error(figures["1 a month"][law]["a_day"]) for law in LAWS]),
        _line("drift of 1.5 sd a day: alerts a day", [error(drift[law]["a_day"]) for law in LAWS]),
        _line(
            "drift: notices, least and most",
            [f"{min(drift[law]['notices'])} to {max(drift[law]['notices'])}" for law in LAWS],
        ),
        _line("daily cycle of 1 sd, after day 7", [error(cycle[law]["a_day"]) for law in LAWS]),
    ]
    for heard in ("hour 1", "hour 24", "day 8"):
        storms = figures[f"storms {heard}"]
        lines.append(
            _line(
                f"storm of +4 sd, {heard}: within 2 min; flagged",
                [f"{storms[law]['within_2_min']:.0%}; {storms[law]['flagged']:.1%}" for law in LAWS],
            )
        )
    for heard in ("36 s", "hour 1", "hour 24", "day 8"):
        recall = figures[f"recall {heard}"]
        lines.append(
            _line(f"+12 sd for 1 s / 3 s / 5 s found, {heard}", [_at(figures, recall[law], 12) for law in LAWS])
        )
    lines += [
        _line(name, [error(figures[name][law]["a_day"]) for law in LAWS])
        for name in figures
        if name.startswith("rival ") and not name.startswith(("rival storm", "rival drift"))
    ]
    return "\n".join(lines)


def write(figures: Figures, document: Path) -> None:
    """Puts the table between the two marks of a document; the document appears whole or not at all."""
    before, mark, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (mark and end):
        raise ValueError(f"{document}: no line {_BEGIN!r} followed by {_END!r}")
    whole = document.with_suffix(".new")
    whole.write_text(f"{before}{_BEGIN}\n\n{of(figures)}\n\n{_END}{after}", encoding="utf-8")
    whole.replace(document)


def _at(figures: Figures, recall: list[list[float]], size: int) -> str:
    at = figures["event_sizes_sd"].index(size)
    return " / ".join(f"{row[at]:.0%}" for row in recall)


def _line(name: str, cells: Any) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"
