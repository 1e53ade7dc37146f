"""A plot of a replay: scores, thresholds then and now, alerts then and now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from processors.core.alerting.detector_state import Output
from schemas.errors import OutputError
from schemas.printable import plot_text
from schemas.score import Score
from schemas.time_text import plot_days

_MAX_POINTS = 4_000


def draw_replay(
    path: Path, scores: Sequence[Score], outputs: Sequence[Output], then: Sequence[Score], title: str
) -> None:
    """Writes a PNG.

    Args:
        path: of the PNG; its folder is created if missing.
        scores: with the decisions of the time, in order.
        outputs: the replayed decisions on the same windows.
        then: scores that opened an alert at the time.
        title: of the plot.

    Raises:
        OutputError: it cannot be written.
    """
    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _curve(axes, scores, [score.score for score in scores], "score", "tab:blue")
    _curve(axes, scores, [score.threshold for score in scores], "threshold then", "tab:gray", "--")
    replayed = [output.score for output in outputs]
    _curve(axes, replayed, [score.threshold for score in replayed], "threshold now", "tab:red")
    opened = [o.score for o in outputs if o.alert is not None and o.alert.state == "opened"]
    for found, label, marker, color in ((then, "alert then", "v", "tab:gray"), (opened, "alert now", "^", "tab:red")):
        if found:
            axes.plot(_times(found), [one.score for one in found], marker, color=color, label=f"{label} ({len(found)})")
    axes.set_title(plot_text(title))
    axes.set_ylabel("score")
    axes.xaxis_date("UTC")
    figure.autofmt_xdate()
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}: make room or name another folder with --out") from None


def _curve(
    axes: Axes, scores: Sequence[Score], values: Sequence[float | None], label: str, color: str, linestyle: str = "-"
) -> None:
    """At most 4,000 points: the largest value of each interval, so that no peak is lost."""
    known = [(score, value) for score, value in zip(scores, values, strict=True) if value is not None]
    width = max(1, len(known) // _MAX_POINTS)
    shown = [max(known[start : start + width], key=lambda pair: pair[1]) for start in range(0, len(known), width)]
    axes.plot(
        _times([score for score, _ in shown]),
        [y for _, y in shown],
        label=label,
        color=color,
        linestyle=linestyle,
        linewidth=0.8,
    )


def _times(scores: Sequence[Score]) -> npt.NDArray[np.float64]:
    """Days since 1970, matplotlib's unit of time."""
    return np.array([plot_days(score.captured_ns) for score in scores], dtype=np.float64)
