"""Plots of example windows: features, reconstruction and their difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schemas.printable import plot_text
from trainers.evaluation.figures import png_of
from trainers.example import Example, Float32

_SPECTRUM = 512
_LEAST_POWER = 1e-20


def draw_examples(examples: Sequence[Example]) -> bytes:
    """A PNG with one row per example: samples, features, reconstruction and difference.

    Without reconstructions two examples share a row.
    """
    across = max(_panels(one) for one in examples)
    if across == 1:
        across = min(2, len(examples))
        rows = -(-len(examples) // across)
        figure = Figure(figsize=(5.5 * across, 2.8 * rows), layout="constrained")
        for place, example in enumerate(examples):
            _image(figure, figure.add_subplot(rows, across, place + 1), example, example.features, _range(example))
    else:
        figure = Figure(figsize=(4.2 * across, 2.7 * len(examples)), layout="constrained")
        for row, example in enumerate(examples):
            axes = [figure.add_subplot(len(examples), across, across * row + place + 1) for place in range(across)]
            _row(figure, axes, example)
    return png_of(figure)


def _panels(example: Example) -> int:
    panels = 1 if example.reconstruction is None else 2 if len(example.features) == 1 else 3
    return panels + (example.samples is not None)


def _row(figure: Figure, axes: list[Axes], example: Example) -> None:
    left = axes[0]
    if example.samples is not None:
        _spectrogram(figure, axes.pop(0), example)
    if len(example.features) == 1:
        _curves(axes, example)
    else:
        panels = [("features", example.features)]
        if example.reconstruction is not None:
            panels.append(("reconstruction", example.reconstruction))
        for name, values in panels:
            shown = axes.pop(0)
            _image(figure, shown, example, values, _range(example))
            shown.set_title(plot_text(name), fontsize=9)
        if example.reconstruction is not None:
            difference = example.features - example.reconstruction
            most = max(float(np.percentile(np.abs(difference), 99.0)), 1e-6)
            _image(figure, axes[0], example, difference, (-most, most), "RdBu_r")
            axes.pop(0).set_title("difference", fontsize=9)
    for empty in axes:
        empty.set_axis_off()
    _title(left, example)


def _title(axes: Axes, example: Example) -> None:
    axes.set_title(plot_text(f"{example.title}, score {example.score:.3g}"), fontsize=9)


def _range(example: Example) -> tuple[float, float]:
    low, high = np.percentile(example.features, [1.0, 99.0]).tolist()
    return low, max(high, low + 1e-6)


def _image(
    figure: Figure, axes: Axes, example: Example, values: Float32, limits: tuple[float, float], colours: str = "magma"
) -> None:
    frames, columns = values.shape
    right = example.seconds or float(frames)
    shown = axes.imshow(
        values.T,
        origin="lower",
        aspect="auto",
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        extent=(0.0, right, 0.0, float(columns)),
    )
    figure.colorbar(shown, ax=axes, label=plot_text(example.unit))
    axes.set_xlabel("time, s" if example.seconds else "index", fontsize=8)
    axes.set_ylabel(plot_text(example.columns), fontsize=8)
    _title(axes, example)


def _curves(axes: list[Axes], example: Example) -> None:
    both = axes.pop(0)
    both.plot(example.features[0], label="features", linewidth=0.9)
    drawn = [both]
    if example.reconstruction is not None:
        both.plot(example.reconstruction[0], label="reconstruction", linewidth=0.9)
        drawn.append(axes.pop(0))
        drawn[1].plot(example.features[0] - example.reconstruction[0], color="black", linewidth=0.9)
        drawn[1].set_title("difference", fontsize=9)
    both.legend(fontsize=7)
    for one in drawn:
        one.set_xlabel(plot_text(example.columns), fontsize=8)
        one.set_ylabel(plot_text(example.unit), fontsize=8)
        one.axhline(0.0, color="grey", linewidth=0.5)


def _spectrogram(figure: Figure, axes: Axes, example: Example) -> None:
    """A spectrogram of samples."""
    samples = np.zeros(_SPECTRUM) if example.samples is None else np.asarray(example.samples, dtype=np.float64)
    samples = np.pad(samples, (0, max(0, _SPECTRUM - len(samples))))
    pieces = np.lib.stride_tricks.sliding_window_view(samples, _SPECTRUM)[:: _SPECTRUM // 2] * np.hanning(_SPECTRUM)
    power = 10.0 * np.log10(np.square(np.abs(np.fft.rfft(pieces, axis=1))) + _LEAST_POWER)
    low, high = np.percentile(power, [1.0, 99.5]).tolist()
    shown = axes.imshow(
        power.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=max(low, high - 80.0),
        vmax=max(high, low + 1e-6),
        extent=(0.0, len(samples) / example.sample_rate, 0.0, example.sample_rate / 2_000.0),
    )
    figure.colorbar(shown, ax=axes, label="dB")
    axes.set_xlabel("time, s", fontsize=8)
    axes.set_ylabel("kHz", fontsize=8)
