"""What a more, or less, careful first week costs: tables and a picture of ``docs/thresholds.md``."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.ticker import NullLocator

from benchmarks.thresholds import rows
from benchmarks.thresholds.caution import DEFAULT, EVENTS, HOURS, KNOBS, MINUTES, SETTINGS, difference, name_of

Figures = dict[str, Any]

PROMISED = 1.0 / 7.0
_SHOWN = {
    "clip": "chance enters at most so many times rarer",
    "rarity": "foretold at most so many times rarer",
    "learning": "so many times the promise for a week",
    "far": "weight of the extrapolation from farther in",
}
_FEW_SECONDS = rows.DURATIONS.index(3)


def of(figures: Figures) -> str:
    """A line for each setting, and one for each time that a storm may begin at."""
    head = [
        "Student t4, daily cycle: false alarms a day, days 8 to 21",
        "than by default",
        "days 2 to 7",
        "week 2",
        f"+{EVENTS['student-t4']} sd for 3 s found, day 8",
        f"Gamma, +{EVENTS['gamma']} sd for 1 s / 3 s / 5 s found, hour 24",
        "hour 26",
        "day 8",
        "false alarms a day, day 1",
        "week 2",
        "AR(1), day 1",
        "storms from hour 1 on: found; median, longest delay",
        "threshold moved by over 1 %; at most",
        "events in calibration: found on day 9",
    ]
    lines = [_line("", head), _line("---", ["---"] * len(head))]
    lines.append(
        _line(
            "must reach",
            ["0.143", "-", "0.5", "0.143", "-", "95%", "95%", "95%", "2", "0.143", "2", "100%; 120 s", "1%", "100%"],
        )
    )
    default = figures[name_of(DEFAULT)]
    lines += [_line(_label(name), _setting(figures[name], default)) for name in _settings()]
    lines += ["", *_storms(figures)]
    return "\n".join(lines)


def _settings() -> list[str]:
    return [name_of(DEFAULT), *(name for name in SETTINGS if name != name_of(DEFAULT))]


def _label(name: str) -> str:
    _, knob, *value = name.split()
    return f"{knob} {float(value[0]):g}" if value else "as it is"


def _setting(found: Figures, default: Figures) -> list[str]:
    heavy, light, alike = found["student-t4"], found["gamma"], found["ar1-lognormal"]["alarms"]
    cycle, alarms, storms = heavy["cycle"], light["alarms"], light["storms"]
    more = "-" if found is default else "{:+.3f} ± {:.3f}".format(*difference(cycle, default["student-t4"]["cycle"]))
    return [
        _rate(cycle["from_day_8"]),
        more,
        _rate(cycle["days_2_to_7"]),
        _rate(cycle["week_2"]),
        _share(heavy["day 8"][_FEW_SECONDS]),
        " / ".join(_share(share) for share in light["hour 24"]),
        *(" / ".join(f"{share:.0%}" for share, _ in light[heard]) for heard in ("hour 26", "day 8")),
        _rate(alarms["day_1"]),
        _rate(alarms["week_2"]),
        _rate(alike["day_1"]),
        f"{storms['found']:.1%}; {storms['median_delay_s']:.0f} s, {storms['longest_delay_s']} s",
        f"{storms['moved_above_1_percent']} of {storms['devices']}; {storms['moved_most']:.1%}",
        _share(light["contaminated"]),
    ]


def _storms(figures: Figures) -> list[str]:
    head = [
        "moved by over 1 %",
        "at most",
        "on average",
        "first hour not over",
        "the storm's own first alarm entered",
        "a later alarm entered",
        "an hour entered",
        "without a storm: moved by over 1 %",
        "on average",
    ]
    lines = [_line("Gamma, heard before the storm", head), _line("---", ["---"] * len(head))]
    for minutes in MINUTES:
        found = figures[f"caution storm {minutes}"]["gamma"]
        calm, why = found["without a storm"], found["why"]
        cells = [
            f"{found['moved_above_1_percent']} of {found['devices']}",
            f"{found['moved_most']:.1%}",
            f"{found['moved'][0]:.2%}",
            *(str(why[reason]) for reason in ("first hour", "own", "after", "")),
            f"{calm['moved_above_1_percent']} of {found['devices']}",
            f"{calm['moved'][0]:.1%}",
        ]
        lines.append(_line(f"{minutes} min" if minutes < 120 else f"{minutes // 60} h", cells))
    return lines


def draw(figures: Figures) -> Any:
    """The trade in six panels: false alarms against what is found, and where the threshold stands and moves."""
    figure, panels = plt.subplots(2, 3, figsize=(13, 7.5))
    (cycle, weeks, early), (later, far, moves) = panels
    heavy, light = EVENTS["student-t4"], EVENTS["gamma"]
    for panel, week, said, heard, most in (
        (cycle, "from_day_8", "days 8 to 21", "day 8", PROMISED),
        (weeks, "days_2_to_7", "days 2 to 7", "hour 24", 0.5),
    ):
        _curves(
            panel,
            figures,
            lambda of, h=heard: of["student-t4"][h][_FEW_SECONDS],
            lambda of, w=week: of["student-t4"]["cycle"][w],
        )
        panel.axhline(most, color="black", lw=0.8, ls="--")
        panel.set(
            title="(a) Student t4, daily cycle",
            xlabel=f"share of +{heavy} sd for 3 s found, {heard}",
            ylabel=f"false alarms a day, {said}",
            yscale="log",
        )
        _plain(panel.yaxis, (0.1, 0.14, 0.2, 0.3, 0.5, 0.7))
    for panel, law, alarms, day, most in (
        (early, "ar1-lognormal", "alarms", "day_1", 2.0),
        (later, "student-t4", "cycle", "from_day_8", PROMISED),
    ):
        _curves(
            panel,
            figures,
            lambda of: of["gamma"]["hour 24"][0],
            lambda of, place=(law, alarms, day): of[place[0]][place[1]][place[2]],
        )
        panel.axhline(most, color="black", lw=0.8, ls="--")
        panel.axvline(0.95, color="black", lw=0.8, ls=":")
        panel.set(xlabel=f"share of +{light} sd for 1 s found, hour 24 (Gamma)")
    early.set(title="(b) against AR(1) lognormal on day 1", ylabel="false alarms on day 1")
    later.set(title="(b) against Student t4, daily cycle", ylabel="false alarms a day, days 8 to 21", yscale="log")
    _plain(later.yaxis, (0.1, 0.14, 0.2, 0.3, 0.5, 0.7))
    later.legend(*cycle.get_legend_handles_labels(), frameon=False, fontsize=7, loc="upper left")
    _distances(far, figures)
    _moves(moves, figures)
    return figure


def _distances(panel: Any, figures: Figures) -> None:
    for law, found in figures["caution distance"].items():
        panel.errorbar(HOURS, [far for far, _ in found], [spread for _, spread in found], lw=1, marker=".", label=law)
    panel.axhline(EVENTS["gamma"], color="black", lw=0.8, ls=":")
    panel.set(
        title="(b) where the threshold stands, as it is",
        xscale="log",
        yscale="log",
        xlabel="hours heard",
        ylabel="distance from the usual score, sd",
    )
    _plain(panel.xaxis, (1, 3, 9, 24, 48, 96, 216))
    _plain(panel.yaxis, (8, 10, 15, 20, 30, 50, 100))
    panel.legend(frameon=False, fontsize=7)


def _curves(panel: Any, figures: Figures, found: Any, alarms: Any) -> None:
    for (knob, values), mark in zip(KNOBS.items(), "os^v", strict=True):
        places = [figures[name_of(DEFAULT._replace(**{knob: value}))] for value in values]
        x, y = [found(place) for place in places], [alarms(place) for place in places]
        panel.errorbar(
            [share for share, _ in x],
            [rate for rate, _ in y],
            xerr=[spread for _, spread in x],
            yerr=[spread for _, spread in y],
            marker=mark,
            ms=4,
            lw=1,
            elinewidth=0.4,
            label=_SHOWN[knob],
        )
        for value, (share, _), (rate, _) in zip(values, x, y, strict=True):
            if value != getattr(DEFAULT, knob):
                panel.annotate(f"{value:g}", (share, rate), xytext=(3, 3), textcoords="offset points", fontsize=7)
    here = figures[name_of(DEFAULT)]
    panel.plot([found(here)[0]], [alarms(here)[0]], marker="*", ms=11, color="black", ls="none", label="as it is")


def _moves(panel: Any, figures: Figures) -> None:
    hours = [minutes / 60.0 for minutes in MINUTES]
    found = [figures[f"caution storm {minutes}"]["gamma"] for minutes in MINUTES]
    calm = [one["without a storm"]["moved"] for one in found]
    panel.errorbar(
        hours, [100 * mean for mean, _ in calm], [100 * spread for _, spread in calm], label="no storm, mean", lw=1
    )
    panel.errorbar(
        hours,
        [100 * one["moved"][0] for one in found],
        [100 * one["moved"][1] for one in found],
        label="storm, mean",
        lw=1,
        marker="o",
        ms=3,
    )
    panel.plot(hours, [100 * one["moved_most"] for one in found], label="storm, most", lw=1, marker="v", ms=3, ls=":")
    panel.axhline(1.0, color="black", lw=0.8, ls="--")
    panel.set(
        title=f"(c) Gamma, {found[0]['devices']} devices",
        xscale="log",
        yscale="symlog",
        xlabel="hours heard before half an hour and the hour after",
        ylabel="threshold moved, %",
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
