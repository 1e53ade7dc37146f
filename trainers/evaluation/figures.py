"""Plots of a trained model as PNGs: losses, scores, ROC and precision-recall, confusion."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from schemas.printable import plot_text
from trainers.evaluation.metrics import NORMAL, auc

Float64 = npt.NDArray[np.float64]

_BINS = 60
_SMOOTHED_ABOVE = 200


def histogram(scores: Mapping[str, Float64], threshold: float | None) -> bytes:
    """Score histograms, one outline per group, and the threshold if given."""
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    everything = np.concatenate(list(scores.values()))
    edges = np.linspace(everything.min(), everything.max(), _BINS).tolist()
    for name, values in scores.items():
        axes.hist(values, bins=edges, density=True, histtype="step", label=plot_text(f"{name} ({len(values)})"))
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.2f}")
    axes.set_xlabel("score")
    axes.set_ylabel("density")
    axes.legend()
    return png_of(figure)


def roc_and_precision(scores: Mapping[str, Float64]) -> bytes:
    """ROC on the left, precision over recall on the right; one curve per group.

    Args:
        scores: by group; the group ``normal`` is the negative class.
    """
    figure = Figure(figsize=(10.0, 5.0), layout="constrained")
    roc, precision = figure.subplots(1, 2)
    normal = scores[NORMAL]
    for name, values in scores.items():
        if name == NORMAL:
            continue
        # Starts below all scores, where everything is above the limit.
        limits = np.concatenate([[-np.inf], np.sort(np.concatenate([values, normal]))])
        false, found = _share_above(normal, limits), _share_above(values, limits)
        roc.plot(false, found, label=plot_text(f"{name}, AUC {auc(normal, values):.3f}"))
        true_positives, false_positives = found * len(values), false * len(normal)
        positives = true_positives + false_positives
        some = positives > 0
        precision.plot(found[some], true_positives[some] / positives[some], label=plot_text(name))
    roc.plot([0.0, 1.0], [0.0, 1.0], color="grey", linestyle=":")
    roc.set_xlabel("false positive rate")
    roc.set_ylabel("true positive rate")
    precision.set_xlabel("recall")
    precision.set_ylabel("precision")
    for axes in (roc, precision):
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.legend()
    return png_of(figure)


def confusion(scores: Mapping[str, Float64], threshold: float, title: str = "") -> bytes:
    """Counts of each group below and above the threshold, with their share as colour.

    Args:
        scores: by group.
        threshold: scores above it are classified as anomalous.
        title: of the plot; empty shows the threshold.
    """
    counts = np.array([[int(np.sum(v <= threshold)), int(np.sum(v > threshold))] for v in scores.values()])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.5, 1.6 + 0.6 * len(scores)), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        dark = shares[row, column] > 0.5
        text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks([0, 1], ["normal", "anomalous"])
    axes.set_yticks(range(len(scores)), [plot_text(name) for name in scores])
    axes.set_title(plot_text(title) or f"threshold {threshold:.3g}", fontsize=10)
    return png_of(figure)


def loss_curves(losses: Mapping[str, Sequence[float]]) -> bytes:
    """One curve per name; long curves are smoothed over a fiftieth of their length."""
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for name, values in losses.items():
        width = max(1, len(values) // 50) if len(values) > _SMOOTHED_ABOVE else 1
        smooth = np.convolve(values, np.full(width, 1.0 / width), mode="valid")
        axes.plot(np.arange(len(smooth)) + width, smooth, label=plot_text(f"{name}, last {values[-1]:.4g}"))
    if all(min(values) > 0.0 for values in losses.values()):
        axes.set_yscale("log")
    axes.set_xlabel("step or epoch")
    axes.set_ylabel("loss")
    axes.legend()
    return png_of(figure)


def png_of(figure: Figure) -> bytes:
    """The figure as PNG, without time stamp and version, so that equal figures give equal files."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _share_above(values: Float64, limits: Float64) -> Float64:
    above: Float64 = 1.0 - np.searchsorted(np.sort(values), limits, "right") / len(values)
    return above
