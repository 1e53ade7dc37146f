"""Score histogram and ROC curve of a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

_NORMAL = "normal"
_BINS = 60


def draw_histogram(scores: Mapping[str, npt.NDArray[np.float64]], threshold: float | None, path: Path) -> None:
    """One outline a group of scores, and the threshold where there is one; a PNG."""
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    everything = np.concatenate(list(scores.values()))
    edges = np.linspace(everything.min(), everything.max(), _BINS).tolist()
    for name, values in scores.items():
        axes.hist(values, bins=edges, density=True, histtype="step", label=f"{name} ({len(values)})")
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.2f}")
    axes.set_xlabel("score")
    axes.set_ylabel("density")
    axes.legend()
    figure.savefig(path, dpi=120)


def draw_roc(scores: Mapping[str, npt.NDArray[np.float64]], path: Path) -> None:
    """Share of anomalous windows found over share of normal windows called, one curve a group; a PNG.

    Args:
        scores: by group; the group ``normal`` is what the others are held against.
        path: the file.
    """
    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    for name, values in scores.items():
        if name != _NORMAL:
            limits = np.sort(np.concatenate([values, scores[_NORMAL]]))
            axes.plot(_share_above(scores[_NORMAL], limits), _share_above(values, limits), label=name)
    axes.plot([0.0, 1.0], [0.0, 1.0], color="grey", linestyle=":")
    axes.set_xlabel("false: share of normal windows above")
    axes.set_ylabel("found: share of anomalous windows above")
    axes.legend()
    figure.savefig(path, dpi=120)


def _share_above(values: npt.NDArray[np.float64], limits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above: npt.NDArray[np.float64] = 1.0 - np.searchsorted(np.sort(values), limits, "right") / len(values)
    return above
