"""The pictures of ``docs/thresholds.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.thresholds import trade
from benchmarks.thresholds.laws import LAWS

_DOCS = Path(__file__).parents[2] / "docs"


def draw(figures: dict[str, Any]) -> None:
    """Writes ``thresholds-weeks.svg``, ``-recall.svg``, ``-trade.svg`` and ``-caution.svg``."""
    mpl.rcParams.update(
        {"svg.hashsalt": "tocsin", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    figure, axes = plt.subplots(figsize=(7, 3))
    for law in LAWS:
        weeks = figures["promise"][law]["weeks"]
        axes.plot(np.arange(2, len(weeks) + 2), weeks, label=law, lw=1)
    half_year = figures["half a year"]["gamma"]["weeks"]
    axes.plot(np.arange(2, len(half_year) + 2), half_year, label="gamma, half a year", lw=1, color="grey")
    axes.axhline(1 / 7, color="black", lw=0.8, ls="--")
    axes.set(xlabel="week of heard sound", ylabel="false alarms a device-day", ylim=(0, 0.25))
    axes.legend(ncols=3, frameon=False, fontsize=8)
    _save(figure, "thresholds-weeks")

    sizes = figures["event_sizes_sd"]
    figure, panels = plt.subplots(1, 3, figsize=(9, 3), sharey=True)
    for panel, heard in zip(panels, ("hour 1", "hour 24", "day 8"), strict=True):
        for law in LAWS:
            panel.plot(sizes, figures[f"recall {heard}"][law][1], label=law, lw=1)
        panel.set(title=f"heard until {heard}", xlabel="size of a 3 s event, sd")
    panels[0].set_ylabel("share found")
    panels[0].legend(frameon=False, fontsize=7)
    _save(figure, "thresholds-recall")

    figure, axes = plt.subplots(figsize=(7, 3))
    promised = sorted(float(name.split()[1]) for name in figures if name.startswith("curve "))
    for law in LAWS:
        needed = [_needed(sizes, figures[f"curve {a_week:g}"][law][1]) for a_week in promised]
        axes.plot(promised, needed, marker="o", ms=3, lw=1, label=law)
    axes.set(xscale="log", yscale="log", xlabel="false alarms promised a week", ylabel="3 s event found at 95 %, sd")
    axes.legend(ncols=3, frameon=False, fontsize=8)
    _save(figure, "thresholds-trade")

    _save(trade.draw(figures), "thresholds-caution")


def _needed(sizes: list[int], recall: list[float]) -> float:
    """The least size from which 95 % are found; not a number where none of the sizes is enough."""
    short = [size for size, share in zip(sizes, recall, strict=True) if share < 0.95]
    after = [size for size in sizes if not short or size > short[-1]]
    return float(after[0]) if after else float("nan")


def _save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(_DOCS / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
