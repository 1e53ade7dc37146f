"""A plot of a comparison: score distributions and ROC curves of both models."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schemas.printable import plot_text
from trainers.evaluation.compare import DeviceScores

Float64 = npt.NDArray[np.float64]

_BINS = 60
_SHOWN = (-20.0, 40.0)


def draw(models: Sequence[tuple[str, Sequence[DeviceScores]]]) -> bytes:
    """A PNG: one panel of score distributions per model, and the ROC curves of all models.

    Scores of different devices and models have different scales: they are drawn relative to the device's threshold, in
    units of the model's spread.

    Args:
        models: name and scores of each model, the candidate first.
    """
    figure = Figure(figsize=(5.0 * (len(models) + 1), 4.2), layout="constrained")
    panels = figure.subplots(1, len(models) + 1)
    for axes, (name, devices) in zip(panels[:-1], models, strict=True):
        _draw_scores(axes, name, devices)
    curves: Axes = panels[-1]
    for name, devices in models:
        normal, anomalous = _pooled(devices)
        limits = np.sort(np.concatenate([normal, anomalous]))
        curves.plot(_share_above(normal, limits), _share_above(anomalous, limits), label=plot_text(name))
    curves.plot([0.0, 1.0], [0.0, 1.0], color="grey", linestyle=":")
    curves.set_xlabel("false positive rate, normal windows")
    curves.set_ylabel("true positive rate, anomalous windows")
    curves.set_title("generated anomalies, all levels", fontsize=10)
    curves.legend(fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def _draw_scores(axes: Axes, name: str, devices: Sequence[DeviceScores]) -> None:
    normal, anomalous = _pooled(devices)
    low, high = (float(np.clip(edge, *_SHOWN)) for edge in (normal.min() - 1.0, anomalous.max() + 1.0))
    edges = np.linspace(low, max(high, low + 1.0), _BINS)
    for label, scores in (("normal", normal), ("with a generated anomaly", anomalous)):
        axes.hist(np.clip(scores, edges[0], edges[-1]), edges.tolist(), density=True, histtype="step", label=label)
    axes.axvline(0.0, color="black", linestyle=":", label="the device's threshold")
    axes.set_title(plot_text(name), fontsize=10)
    axes.set_xlabel("score above the threshold, in spreads")
    axes.set_ylabel("density")
    axes.legend(fontsize=8)


def _pooled(devices: Sequence[DeviceScores]) -> tuple[Float64, Float64]:
    normal = [(one.normal - one.threshold) / one.spread for one in devices]
    anomalous = [(part - one.threshold) / one.spread for one in devices for part in one.anomalous.values()]
    return np.concatenate(normal), np.concatenate(anomalous)


def _share_above(values: Float64, limits: Float64) -> Float64:
    above: Float64 = 1.0 - np.searchsorted(np.sort(values), limits, "right") / len(values)
    return above
