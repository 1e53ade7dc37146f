"""The results table as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.thresholds.distributions import DISTRIBUTIONS

Figures = dict[str, Any]

_ONE_DISTRIBUTION = "gamma"


def of(figures: Figures) -> str:
    """One line for each measure: its target, and one column for each distribution."""
    lines = [_line("", ["target", *DISTRIBUTIONS]), _line("---", ["---"] * (1 + len(DISTRIBUTIONS)))]
    lines += _budget_lines(figures)
    lines += _fault_lines(figures)
    lines += _baseline_lines(figures)
    return "\n".join([*lines, "", *_cost_lines(figures)])


def _budget_lines(figures: Figures) -> list[str]:
    budget, long = figures["false-alarm budget"], figures["half a year"]["gamma"]
    cycle = figures["cycle"]
    weeks = len(long["weeks"])
    return [
        _row("device-days after day 7", "300", lambda distribution: f"{budget[distribution]['device_days']:,}"),
        _row("false alarms a day after day 7", "0.143", lambda distribution: _error(budget[distribution]["a_day"])),
        _row("worst week", "0.20", lambda distribution: f"{budget[distribution]['worst_week']:.3f}"),
        _row("trend per week", "none", lambda distribution: f"{budget[distribution]['slope_a_week']:+.4f}"),
        _single(
            f"worst of {weeks} weeks; trend", "0.20; none", f"{long['worst_week']:.3f}; {long['slope_a_week']:+.4f}"
        ),
        _row("device-days with at most 1 false alarm", "99%", lambda distribution: _share(budget[distribution])),
        _row("false alarms, first 24 hours", "2", lambda distribution: _error(budget[distribution]["day_1"])),
        _row("false alarms, day 2", "1", lambda distribution: _error(budget[distribution]["day_2"])),
        _row(
            "false alarms a day, days 3 to 7", "0.5", lambda distribution: _error(budget[distribution]["days_3_to_7"])
        ),
        _row(
            "false alarms, first 24 hours with a prior from peers",
            "1",
            lambda distribution: _error(figures["prior"][distribution]["days"][0]),
        ),
        _row(
            "false alarms a day, budget of 1 a day",
            "0.5 to 1.0",
            lambda distribution: _error(figures["1 a day"][distribution]["a_day"]),
        ),
        _row(
            "false alarms a day, budget of 1 a month",
            "0.016 to 0.033",
            lambda distribution: _error(figures["1 a month"][distribution]["a_day"]),
        ),
        _row(
            "false alarms a day, daily cycle of 1 sd, after day 7",
            "0.143",
            lambda distribution: _error(cycle[distribution]["a_day"]),
        ),
    ]


def _fault_lines(figures: Figures) -> list[str]:
    drift, contaminated = figures["drift"], figures["contaminated"]
    lines = [
        _row("drift of 1.5 sd a day: alerts a day", "1", lambda distribution: _error(drift[distribution]["a_day"])),
        _row(
            "drift of 1.5 sd a day: notices, min to max",
            "1",
            lambda distribution: f"{min(drift[distribution]['notices'])} to {max(drift[distribution]['notices'])}",
        ),
    ]
    for observed in ("hour 1", "hour 24", "day 8"):
        faults = figures[f"sustained fault {observed}"]
        lines += [
            _row(
                f"sustained fault of +4 sd, {observed}: found within 2 min; share flagged",
                f"100%; 95% ({_ONE_DISTRIBUTION})",
                lambda distribution, f=faults: (
                    f"{f[distribution]['within_2_min']:.0%}; {f[distribution]['flagged']:.1%}"
                ),
            ),
            _row(
                f"second sustained fault, {observed}: found; largest threshold shift",
                f"100%; 1% ({_ONE_DISTRIBUTION})",
                lambda distribution, f=faults: (
                    f"{f[distribution]['found_second']:.0%}; {f[distribution]['max_shift']:.1%}"
                ),
            ),
        ]
    for observed in ("36 s", "hour 1", "hour 24", "day 8"):
        recall = figures[f"recall {observed}"]
        lines.append(
            _row(
                f"+12 sd for 1 s / 3 s / 5 s found, {observed}",
                f"95% ({_ONE_DISTRIBUTION})",
                lambda distribution, r=recall: _at(figures, r[distribution], 12),
            )
        )
    for kind, what in (("sustained fault", "+4 sd for an hour"), ("events", "+12 sd for 3 s every 2 min")):
        found = contaminated[kind]
        delay = "-" if found["longest_delay_s"] is None else f"{found['longest_delay_s']:,} s"
        lines.append(
            _single(
                f"contaminated hour of calibration, {what}: same fault found on day 9; longest delay",
                "100%",
                f"{found['found']:.0%}; {delay}",
            )
        )
    return lines


def _baseline_lines(figures: Figures) -> list[str]:
    names = [name for name in figures if name.startswith("baseline ")]
    special = ("baseline sustained fault ", "baseline drift ")
    lines = [
        _row(name, "0.143", lambda distribution, n=name: _error(figures[n][distribution]["a_day"]))
        for name in names
        if not name.startswith(special)
    ]
    lines += [
        _row(f"{name}: alarms a day", "1", lambda distribution, n=name: f"{figures[n][distribution]:.1f}")
        for name in names
        if name.startswith("baseline drift ")
    ]
    for name in names:
        if name.startswith("baseline sustained fault "):
            fault = figures[name][_ONE_DISTRIBUTION]
            shown = f"{fault['flagged']:.1%}; {fault['threshold_before']:.1f} to {fault['threshold_after']:.1f}"
            lines.append(_single(f"{name}: share flagged; threshold before and after", "95%; 1%", shown))
    return lines


def _cost_lines(figures: Figures) -> list[str]:
    cost = figures["cost"][_ONE_DISTRIBUTION]
    lines = [_line("cost", ["target", "measured"]), _line("---", ["---", "---"])]
    lines += [
        _line("rule, per score: on day 9", ["5 µs", f"{cost['us_a_score']:.2f} µs"]),
        _line("rule, per score: on day 9, confirming 2 of 3", ["5 µs", f"{cost['us_a_score_2_of_3']:.2f} µs"]),
        _line("rule, per score: in the first hour", ["5 µs", f"{cost['us_a_score_first_hour']:.2f} µs"]),
    ]
    stored = figures["storage"][_ONE_DISTRIBUTION]
    window = stored["us_a_window"]
    shares = ", ".join(f"{name} {taken:.0f}" for name, taken in window.items())
    half_year = figures["half a year"][_ONE_DISTRIBUTION]["state_bytes"]
    known, new = stored["round_trips_a_batch"], stored["round_trips_new_devices"]
    lines += [
        _line(f"decision, record and state of one window ({shares})", ["-", f"{sum(window.values()):.0f} µs"]),
        _line(
            f"rule's state as text after half a year; with {cost['regimes']} regimes, the maximum at N = 1",
            ["-", f"{half_year:,} B; {cost['state_bytes_most_regimes']:,} B"],
        ),
        _line(
            "stored state of a device and detector; after a model change, with the previous model's",
            ["8 KB", f"{stored['body_bytes']:,} B; {stored['body_bytes_after_model_change']:,} B"],
        ),
        _line(
            f"stored state after a model change with 2 regimes; with {stored['most_regimes']}, the maximum (N = 1.17)",
            ["8 KB", f"{stored['body_bytes_2_regimes']:,} B; {stored['body_bytes_most_regimes']:,} B"],
        ),
        _line("compressing a state over 8 KB, 2 regimes", ["-", f"{stored['us_to_deflate']:.0f} µs"]),
        _line(
            f"round trips a batch of {stored['devices_a_batch']} devices; with new devices",
            ["1; -", f"{known}; {new}"],
        ),
        _line("deciding and storing a batch", ["-", f"{stored['ms_a_batch']:.1f} ms"]),
        _line(
            f"{stored['devices']:,} devices in one Redis; per device",
            ["yes", f"{stored['redis_mib']:.0f} MiB; {stored['redis_bytes_a_device']:,} B"],
        ),
    ]
    return lines


def write(text: str, name: str, document: Path) -> None:
    """Replaces the text between a document's two markers of this name, atomically."""
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


def _share(budget: Figures) -> str:
    return f"{budget['at_most_1']:.2%} ± {budget['at_most_1_error']:.2%}"


def _at(figures: Figures, recall: list[list[float]], size: int) -> str:
    at = figures["event_sizes_sd"].index(size)
    return " / ".join(f"{row[at]:.0%}" for row in recall)


def _row(name: str, must: str, cell: Callable[[str], str]) -> str:
    """A line with one figure for each distribution."""
    return _line(name, [must, *(cell(distribution) for distribution in DISTRIBUTIONS)])


def _single(name: str, must: str, cell: str) -> str:
    """A line measured on one distribution only."""
    return _line(name, [must, *(cell if distribution == _ONE_DISTRIBUTION else "-" for distribution in DISTRIBUTIONS)])


def _line(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"
