"""The trade-off of the rule's constants: ablation tables and a plot of ``docs/appendix/thresholds-first-week.md``."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.ticker import NullLocator

from benchmarks.thresholds import rows
from benchmarks.thresholds.ablation import (
    DEFAULT,
    EVENTS,
    HOURS,
    MINUTES,
    VALUES,
    VARIANTS,
    paired_difference,
    row_name,
)

Figures = dict[str, Any]

BUDGET = 1.0 / 7.0
"""False alarms a day at the default budget of one a week."""
_LABELS = {
    "clip": "clip, times rarer than the largest value",
    "max_extrapolation": "largest extrapolation, times rarer",
    "calibration_factor": "false-alarm budget while calibrating, times",
    "inner_weight": "weight of the inner extrapolation",
}
_FEW_SECONDS = rows.DURATIONS.index(3)


def of(figures: Figures) -> str:
    """A line for each variant, and one for each start of a sustained fault."""
    head = [
        "Student t4, daily cycle: false alarms a day, days 8 to 21",
        "difference to the default",
        "days 2 to 7",
        "week 2",
        f"+{EVENTS['student-t4']} sd for 3 s found, day 8",
        f"Gamma, +{EVENTS['gamma']} sd for 1 s / 3 s / 5 s found, hour 24",
        "hour 26",
        "day 8",
        "false alarms a day, day 1",
        "week 2",
        "AR(1), day 1",
        "sustained faults from hour 1: found; median, longest delay",
        "threshold shifted by over 1 %; largest shift",
        "same events during calibration: found on day 9",
    ]
    lines = [_line("", head), _line("---", ["---"] * len(head))]
    lines.append(
        _line(
            "target",
            ["0.143", "-", "0.5", "0.143", "-", "95%", "95%", "95%", "2", "0.143", "2", "100%; 120 s", "1%", "100%"],
        )
    )
    default = figures[row_name(DEFAULT)]
    lines += [_line(_label(name), _variant(figures[name], default)) for name in _variants()]
    lines += ["", *_sustained_faults(figures)]
    return "\n".join(lines)


def _variants() -> list[str]:
    return [row_name(DEFAULT), *(name for name in VARIANTS if name != row_name(DEFAULT))]


def _label(name: str) -> str:
    _, constant, *value = name.split()
    return f"{constant} {float(value[0]):g}" if value else "default"


def _variant(found: Figures, default: Figures) -> list[str]:
    heavy, light, alike = found["student-t4"], found["gamma"], found["ar1-lognormal"]["alarms"]
    cycle, alarms, faults = heavy["cycle"], light["alarms"], light["sustained faults"]
    more = (
        "-"
        if found is default
        else "{:+.3f} ± {:.3f}".format(*paired_difference(cycle, default["student-t4"]["cycle"]))
    )
    return [
        _rate(cycle["from_day_8"]),
        more,
        _rate(cycle["days_2_to_7"]),
        _rate(cycle["week_2"]),
        _share(heavy["day 8"][_FEW_SECONDS]),
        " / ".join(_share(share) for share in light["hour 24"]),
        *(" / ".join(f"{share:.0%}" for share, _ in light[after]) for after in ("hour 26", "day 8")),
        _rate(alarms["day_1"]),
        _rate(alarms["week_2"]),
        _rate(alike["day_1"]),
        f"{faults['found']:.1%}; {faults['median_delay_s']:.0f} s, {faults['longest_delay_s']} s",
        f"{faults['shift_above_1_percent']} of {faults['devices']}; {faults['max_shift']:.1%}",
        _share(light["contaminated"]),
    ]


def _sustained_faults(figures: Figures) -> list[str]:
    head = [
        "shifted by over 1 %",
        "largest shift",
        "mean shift",
        "warm-up not over",
        "an alarm during the fault entered",
        "a later alarm entered",
        "an hour entered",
        "without a fault: shifted by over 1 %",
        "mean shift",
    ]
    lines = [_line("Gamma, observed before the fault", head), _line("---", ["---"] * len(head))]
    for minutes in MINUTES:
        found = figures[f"ablation sustained fault {minutes}"]["gamma"]
        undisturbed, reasons = found["without fault"], found["reasons"]
        cells = [
            f"{found['shift_above_1_percent']} of {found['devices']}",
            f"{found['max_shift']:.1%}",
            f"{found['shift'][0]:.2%}",
            *(str(reasons[reason]) for reason in ("warm-up", "during", "after", "")),
            f"{undisturbed['shift_above_1_percent']} of {found['devices']}",
            f"{undisturbed['shift'][0]:.1%}",
        ]
        lines.append(_line(f"{minutes} min" if minutes < 120 else f"{minutes // 60} h", cells))
    return lines


def draw(figures: Figures) -> Any:
    """The trade-off in six panels: false alarms against recall, and the threshold's distance and shift."""
    figure, panels = plt.subplots(2, 3, figsize=(13, 7.5))
    (cycle, weeks, first_day), (later, distances, shifts) = panels
    heavy, light = EVENTS["student-t4"], EVENTS["gamma"]
    for panel, week, label, after, target in (
        (cycle, "from_day_8", "days 8 to 21", "day 8", BUDGET),
        (weeks, "days_2_to_7", "days 2 to 7", "hour 24", 0.5),
    ):
        _curves(
            panel,
            figures,
            lambda of, a=after: of["student-t4"][a][_FEW_SECONDS],
            lambda of, w=week: of["student-t4"]["cycle"][w],
        )
        panel.axhline(target, color="black", lw=0.8, ls="--")
        panel.set(
            title="(a) Student t4, daily cycle",
            xlabel=f"share of +{heavy} sd for 3 s found, {after}",
            ylabel=f"false alarms a day, {label}",
            yscale="log",
        )
        _plain(panel.yaxis, (0.1, 0.14, 0.2, 0.3, 0.5, 0.7))
    for panel, distribution, alarms, day, target in (
        (first_day, "ar1-lognormal", "alarms", "day_1", 2.0),
        (later, "student-t4", "cycle", "from_day_8", BUDGET),
    ):
        _curves(
            panel,
            figures,
            lambda of: of["gamma"]["hour 24"][0],
            lambda of, keys=(distribution, alarms, day): of[keys[0]][keys[1]][keys[2]],
        )
        panel.axhline(target, color="black", lw=0.8, ls="--")
        panel.axvline(0.95, color="black", lw=0.8, ls=":")
        panel.set(xlabel=f"share of +{light} sd for 1 s found, hour 24 (Gamma)")
    first_day.set(title="(b) against AR(1) lognormal on day 1", ylabel="false alarms on day 1")
    later.set(title="(b) against Student t4, daily cycle", ylabel="false alarms a day, days 8 to 21", yscale="log")
    _plain(later.yaxis, (0.1, 0.14, 0.2, 0.3, 0.5, 0.7))
    later.legend(*cycle.get_legend_handles_labels(), frameon=False, fontsize=7, loc="upper left")
    _distances(distances, figures)
    _shifts(shifts, figures)
    return figure


def _distances(panel: Any, figures: Figures) -> None:
    for distribution, found in figures["ablation distance"].items():
        panel.errorbar(
            HOURS,
            [distance for distance, _ in found],
            [spread for _, spread in found],
            lw=1,
            marker=".",
            label=distribution,
        )
    panel.axhline(EVENTS["gamma"], color="black", lw=0.8, ls=":")
    panel.set(
        title="(b) threshold distance, default constants",
        xscale="log",
        yscale="log",
        xlabel="hours observed",
        ylabel="distance from the usual score, sd",
    )
    _plain(panel.xaxis, (1, 3, 9, 24, 48, 96, 216))
    _plain(panel.yaxis, (8, 10, 15, 20, 30, 50, 100))
    panel.legend(frameon=False, fontsize=7)


def _curves(panel: Any, figures: Figures, found: Any, alarms: Any) -> None:
    for (constant, values), mark in zip(VALUES.items(), "os^v", strict=True):
        variants = [figures[row_name(DEFAULT._replace(**{constant: value}))] for value in values]
        x, y = [found(variant) for variant in variants], [alarms(variant) for variant in variants]
        panel.errorbar(
            [share for share, _ in x],
            [rate for rate, _ in y],
            xerr=[spread for _, spread in x],
            yerr=[spread for _, spread in y],
            marker=mark,
            ms=4,
            lw=1,
            elinewidth=0.4,
            label=_LABELS[constant],
        )
        for value, (share, _), (rate, _) in zip(values, x, y, strict=True):
            if value != getattr(DEFAULT, constant):
                panel.annotate(f"{value:g}", (share, rate), xytext=(3, 3), textcoords="offset points", fontsize=7)
    here = figures[row_name(DEFAULT)]
    panel.plot([found(here)[0]], [alarms(here)[0]], marker="*", ms=11, color="black", ls="none", label="default")


def _shifts(panel: Any, figures: Figures) -> None:
    hours = [minutes / 60.0 for minutes in MINUTES]
    found = [figures[f"ablation sustained fault {minutes}"]["gamma"] for minutes in MINUTES]
    undisturbed = [one["without fault"]["shift"] for one in found]
    panel.errorbar(
        hours,
        [100 * mean for mean, _ in undisturbed],
        [100 * spread for _, spread in undisturbed],
        label="no fault, mean",
        lw=1,
    )
    panel.errorbar(
        hours,
        [100 * one["shift"][0] for one in found],
        [100 * one["shift"][1] for one in found],
        label="fault, mean",
        lw=1,
        marker="o",
        ms=3,
    )
    panel.plot(hours, [100 * one["max_shift"] for one in found], label="fault, largest", lw=1, marker="v", ms=3, ls=":")
    panel.axhline(1.0, color="black", lw=0.8, ls="--")
    panel.set(
        title=f"(c) Gamma, {found[0]['devices']} devices",
        xscale="log",
        yscale="symlog",
        xlabel="hours observed before the fault",
        ylabel="threshold shift, %",
    )
    _plain(panel.xaxis, (1, 2, 4, 8, 24))
    _plain(panel.yaxis, (0, 1, 3, 10, 30, 100))
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False, fontsize=7)


def _plain(axis: Any, ticks: tuple[float, ...]) -> None:
    """Ticks of a logarithmic axis as plain numbers."""
    axis.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _rate(pair: list[float]) -> str:
    return f"{pair[0]:.3f} ± {pair[1]:.3f}"


def _share(pair: list[float]) -> str:
    return f"{pair[0]:.0%} ± {pair[1]:.0%}"


def _line(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"
