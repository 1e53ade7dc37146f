"""A plot of two models on the same windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from schemas.errors import OutputError
from schemas.printable import plot_text
from schemas.score import Score
from schemas.time_text import plot_days
from tocsin.models.comparison import Pairs, values_of

_CHAMPION, _SHADOW = "tab:blue", "tab:orange"


def draw_comparison(path: Path, pairs: Sequence[Pairs], title: str) -> None:
    """Writes a PNG: shadow's against champion's score, and both over time for the device with most disagreements.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = Figure(figsize=(12.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(plot_text(title))
    left, right = figure.subplots(1, 2)
    _scatter(left, pairs)
    _timeline(right, max(pairs, key=_disagreements))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        figure.savefig(part, format="png", dpi=110)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None


def _scatter(axes: Axes, pairs: Sequence[Pairs]) -> None:
    for pair in pairs:
        axes.plot(*values_of(pair), ".", markersize=3, alpha=0.6, label=plot_text(pair.device_id))
    axes.set_xlabel("champion's score")
    axes.set_ylabel("shadow's score")
    if len(pairs) <= 8:
        axes.legend(fontsize="small")


def _timeline(axes: Axes, pair: Pairs) -> None:
    other = axes.twinx()
    for view, scores, colour, name in (
        (axes, pair.champion, _CHAMPION, "champion"),
        (other, pair.shadow, _SHADOW, "shadow"),
    ):
        times = [plot_days(score.captured_ns) for score in scores]
        view.plot(times, [score.score for score in scores], color=colour, linewidth=0.8)
        view.plot(times, [_threshold(score) for score in scores], color=colour, linestyle=":")
        view.set_ylabel(f"{name}'s score, threshold dotted", color=colour)
    axes.set_title(plot_text(pair.device_id))
    axes.xaxis_date()
    axes.tick_params(axis="x", rotation=30)


def _threshold(score: Score) -> float:
    return float("nan") if score.threshold is None else score.threshold


def _disagreements(pair: Pairs) -> int:
    return sum(one.exceeds != other.exceeds for one, other in zip(pair.champion, pair.shadow, strict=True))
