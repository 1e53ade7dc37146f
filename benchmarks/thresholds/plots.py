"""The plots of the threshold pages in ``docs/appendix``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.thresholds import trade_off
from benchmarks.thresholds.distributions import DISTRIBUTIONS

_APPENDIX = Path(__file__).parents[2] / "docs" / "appendix"


def draw(figures: dict[str, Any]) -> None:
    """Writes ``thresholds-weeks.svg``, ``-recall.svg``, ``-trade.svg`` and ``-ablation.svg``."""
    mpl.rcParams.update(
        {"svg.hashsalt": "tocsin", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    figure, axes = plt.subplots(figsize=(7, 3))
    for distribution in DISTRIBUTIONS:
        weeks = figures["false-alarm budget"][distribution]["weeks"]
        axes.plot(np.arange(2, len(weeks) + 2), weeks, label=distribution, lw=1)
    half_year = figures["half a year"]["gamma"]["weeks"]
    axes.plot(np.arange(2, len(half_year) + 2), half_year, label="gamma, half a year", lw=1, color="grey")
    axes.axhline(1 / 7, color="black", lw=0.8, ls="--")
    axes.set(xlabel="week of observed time", ylabel="false alarms per device-day", ylim=(0, 0.25))
    axes.legend(ncols=3, frameon=False, fontsize=8)
    _save(figure, "thresholds-weeks")

    sizes = figures["event_sizes_sd"]
    figure, panels = plt.subplots(1, 3, figsize=(9, 3), sharey=True)
    for panel, observed in zip(panels, ("hour 1", "hour 24", "day 8"), strict=True):
        for distribution in DISTRIBUTIONS:
            panel.plot(sizes, figures[f"recall {observed}"][distribution][1], label=distribution, lw=1)
        panel.set(title=f"observed until {observed}", xlabel="size of a 3 s event, sd")
    panels[0].set_ylabel("share of events found")
    panels[0].legend(frameon=False, fontsize=7)
    _save(figure, "thresholds-recall")

    figure, axes = plt.subplots(figsize=(7, 3))
    budgets = sorted(float(name.split()[1]) for name in figures if name.startswith("curve "))
    for distribution in DISTRIBUTIONS:
        needed = [_needed(sizes, figures[f"curve {a_week:g}"][distribution][1]) for a_week in budgets]
        axes.plot(budgets, needed, marker="o", ms=3, lw=1, label=distribution)
    axes.set(xscale="log", yscale="log", xlabel="false-alarm budget per week", ylabel="3 s event found at 95 %, sd")
    axes.legend(ncols=3, frameon=False, fontsize=8)
    _save(figure, "thresholds-trade")

    _save(trade_off.draw(figures), "thresholds-ablation")


def _needed(sizes: list[int], recall: list[float]) -> float:
    """The smallest size from which 95 % are found; NaN if no size is enough."""
    short = [size for size, share in zip(sizes, recall, strict=True) if share < 0.95]
    after = [size for size in sizes if not short or size > short[-1]]
    return float(after[0]) if after else float("nan")


def _save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(_APPENDIX / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
