"""The table of a run, as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.thresholds.laws import LAWS

Figures = dict[str, Any]

_ONE_LAW = "gamma"


def of(figures: Figures) -> str:
    """One line for each promise: what it must reach, and one column for each law."""
    lines = [_line("", ["must reach", *LAWS]), _line("---", ["---"] * (1 + len(LAWS)))]
    lines += _promises(figures)
    lines += _faults(figures)
    lines += _rivals(figures)
    return "\n".join([*lines, "", *_costs(figures)])


def _promises(figures: Figures) -> list[str]:
    promise, long = figures["promise"], figures["half a year"]["gamma"]
    cycle = figures["cycle"]
    weeks = len(long["weeks"])
    return [
        _row("device-days after day 7", "300", lambda law: f"{promise[law]['device_days']:,}"),
        _row("false alarms a day after day 7", "0.143", lambda law: _error(promise[law]["a_day"])),
        _row("worst of the weeks", "0.20", lambda law: f"{promise[law]['worst_week']:.3f}"),
        _row("trend of the weeks, a week", "none", lambda law: f"{promise[law]['slope_a_week']:+.4f}"),
        _single(
            f"worst of {weeks} weeks; trend", "0.20; none", f"{long['worst_week']:.3f}; {long['slope_a_week']:+.4f}"
        ),
        _row("device-days with at most 1", "99%", lambda law: _share(promise[law])),
        _row("first 24 hours", "2", lambda law: _error(promise[law]["day_1"])),
        _row("day 2", "1", lambda law: _error(promise[law]["day_2"])),
        _row("days 3 to 7, a day", "0.5", lambda law: _error(promise[law]["days_3_to_7"])),
        _row("first 24 hours after devices of the kind", "1", lambda law: _error(figures["prior"][law]["days"][0])),
        _row("set to 1 a day", "0.5 to 1.0", lambda law: _error(figures["1 a day"][law]["a_day"])),
        _row("set to 1 a month", "0.016 to 0.033", lambda law: _error(figures["1 a month"][law]["a_day"])),
        _row("daily cycle of 1 sd, after day 7", "0.143", lambda law: _error(cycle[law]["a_day"])),
    ]


def _faults(figures: Figures) -> list[str]:
    drift, contaminated = figures["drift"], figures["contaminated"]
    lines = [
        _row("drift of 1.5 sd a day: alerts a day", "1", lambda law: _error(drift[law]["a_day"])),
        _row(
            "drift: notices, least and most",
            "1",
            lambda law: f"{min(drift[law]['notices'])} to {max(drift[law]['notices'])}",
        ),
    ]
    for heard in ("hour 1", "hour 24", "day 8"):
        storms = figures[f"storms {heard}"]
        lines += [
            _row(
                f"storm of +4 sd, {heard}: within 2 min; flagged",
                f"100%; 95% ({_ONE_LAW})",
                lambda law, s=storms: f"{s[law]['within_2_min']:.0%}; {s[law]['flagged']:.1%}",
            ),
            _row(
                f"second storm, {heard}: found; threshold moved at most",
                f"100%; 1% ({_ONE_LAW})",
                lambda law, s=storms: f"{s[law]['found_second']:.0%}; {s[law]['moved_most']:.1%}",
            ),
        ]
    for heard in ("36 s", "hour 1", "hour 24", "day 8"):
        recall = figures[f"recall {heard}"]
        lines.append(
            _row(
                f"+12 sd for 1 s / 3 s / 5 s found, {heard}",
                f"95% ({_ONE_LAW})",
                lambda law, r=recall: _at(figures, r[law], 12),
            )
        )
    for kind, what in (("storm", "+4 sd for an hour"), ("events", "+12 sd for 3 s every 2 min")):
        found = contaminated[kind]
        delay = "-" if found["longest_delay_s"] is None else f"{found['longest_delay_s']:,} s"
        lines.append(
            _single(
                f"contaminated hour of calibration, {what}: the same found on day 9; longest delay",
                "100%",
                f"{found['found']:.0%}; {delay}",
            )
        )
    return lines


def _rivals(figures: Figures) -> list[str]:
    names = [name for name in figures if name.startswith("rival ")]
    special = ("rival storm ", "rival drift ")
    lines = [
        _row(name, "0.143", lambda law, n=name: _error(figures[n][law]["a_day"]))
        for name in names
        if not name.startswith(special)
    ]
    lines += [
        _row(f"{name}: alarms a day", "1", lambda law, n=name: f"{figures[n][law]:.1f}")
        for name in names
        if name.startswith("rival drift ")
    ]
    for name in names:
        if name.startswith("rival storm "):
            storm = figures[name][_ONE_LAW]
            shown = f"{storm['flagged']:.1%}; {storm['threshold_before']:.1f} to {storm['threshold_after']:.1f}"
            lines.append(_single(f"{name}: flagged; threshold", "95%; 1%", shown))
    return lines


def _costs(figures: Figures) -> list[str]:
    cost = figures["cost"][_ONE_LAW]
    lines = [_line("cost", ["must reach", "measured"]), _line("---", ["---", "---"])]
    lines += [
        _line("rule, a score: on day 9", ["5 µs", f"{cost['us_a_score']:.2f} µs"]),
        _line("rule, a score: the same with 2 of 3 confirmed", ["5 µs", f"{cost['us_a_score_2_of_3']:.2f} µs"]),
        _line("rule, a score: in the first hour", ["5 µs", f"{cost['us_a_score_first_hour']:.2f} µs"]),
    ]
    kept = figures["kept"][_ONE_LAW]
    window = kept["us_a_window"]
    shares = ", ".join(f"{name} {taken:.0f}" for name, taken in window.items())
    half_year = figures["half a year"][_ONE_LAW]["state_bytes"]
    known, met = kept["round_trips_a_batch"], kept["round_trips_where_devices_are_met"]
    lines += [
        _line(f"a window with its records ({shares})", ["-", f"{sum(window.values()):.0f} µs"]),
        _line(
            f"rule's state as text after half a year; with {cost['regimes']} regimes, the most there may be at N = 1",
            ["-", f"{half_year:,} B; {cost['state_bytes_most_regimes']:,} B"],
        ),
        _line(
            "state of a device and detector as stored; with the model's before it, after a change of model",
            ["8 KB", f"{kept['body_bytes']:,} B; {kept['body_bytes_after_a_change_of_model']:,} B"],
        ),
        _line(
            f"the same after a change of model with 2 regimes; with {kept['most_regimes']} at N = 1.17, the most there "
            "may be",
            ["8 KB", f"{kept['body_bytes_2_regimes']:,} B; {kept['body_bytes_most_regimes']:,} B"],
        ),
        _line("what longer states cost once more a batch, 2 regimes", ["-", f"{kept['us_to_deflate']:.0f} µs"]),
        _line(
            f"round trips a batch of {kept['devices_a_batch']} devices; where devices are met",
            ["1; -", f"{known}; {met}"],
        ),
        _line("a batch, decided and stored", ["-", f"{kept['ms_a_batch']:.1f} ms"]),
        _line(
            f"{kept['devices']:,} devices in one Redis; a device",
            ["yes", f"{kept['redis_mib']:.0f} MiB; {kept['redis_bytes_a_device']:,} B"],
        ),
    ]
    return lines


def write(text: str, name: str, document: Path) -> None:
    """Puts a text between the two marks of a document that bear its name; the document appears whole or not at all."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = document.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{document}: no line {begin!r} followed by {end!r}")
    whole = document.with_suffix(".new")
    whole.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
    whole.replace(document)


def _error(pair: list[float]) -> str:
    return f"{pair[0]:.3f} ± {pair[1]:.3f}"


def _share(promise: Figures) -> str:
    return f"{promise['at_most_1']:.2%} ± {promise['at_most_1_error']:.2%}"


def _at(figures: Figures, recall: list[list[float]], size: int) -> str:
    at = figures["event_sizes_sd"].index(size)
    return " / ".join(f"{row[at]:.0%}" for row in recall)


def _row(name: str, must: str, cell: Callable[[str], str]) -> str:
    """A line with a figure for every law."""
    return _line(name, [must, *(cell(law) for law in LAWS)])


def _single(name: str, must: str, cell: str) -> str:
    """A line that was measured on one law alone."""
    return _line(name, [must, *(cell if law == _ONE_LAW else "-" for law in LAWS)])


def _line(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"
