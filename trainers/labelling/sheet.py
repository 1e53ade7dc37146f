"""Sheets of spectrograms, one per segment, for a person to confirm labels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from processors.core.audio.mel import band_edges
from schemas.features import FeatureSpec
from schemas.printable import plot_text
from trainers.files import write_atomically

_COLUMNS = 4
_RANGE_DB = 70.0
_TICKS_HZ = (250, 1_000, 4_000)


def draw_sheet(
    pictures: Sequence[tuple[str, npt.NDArray[np.float32], float]], spec: FeatureSpec, context_s: float, path: Path
) -> None:
    """Draws one PNG; white lines mark start and end of a segment, times are those of the recording.

    Args:
        pictures: for each segment its heading, log-mel frames with context, float32 (n, n_mels), n > 0, and its start,
            seconds into the recording.
        spec: of the frames.
        context_s: seconds of context on either side; less at the ends of the recording.
        path: the file.

    Raises:
        OutputError: it cannot be written.
    """
    rows = -(-len(pictures) // _COLUMNS)
    figure = Figure(figsize=(4.0 * _COLUMNS, 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    centres = band_edges(spec)[1:-1]
    ticks = [hz for hz in _TICKS_HZ if centres[0] < hz < centres[-1]]
    tick_positions = np.interp(ticks, centres, np.arange(spec.n_mels))
    for axes in grid.flat[len(pictures) :]:
        axes.set_axis_off()
    for axes, (heading, frames, start_s) in zip(grid.flat, pictures, strict=False):
        seconds = len(frames) * spec.hop / spec.sample_rate
        top = float(frames.max())
        left = start_s - context_s
        extent = (left, left + seconds, -0.5, spec.n_mels - 0.5)
        axes.imshow(frames.T, origin="lower", aspect="auto", vmin=top - _RANGE_DB, vmax=top, extent=extent)
        for edge in (start_s, left + seconds - context_s):
            axes.axvline(edge, color="white", linestyle=":", linewidth=1.0)
        axes.set_title(plot_text(heading), fontsize=7)
        axes.set_yticks(tick_positions.tolist(), [f"{hz} Hz" for hz in ticks])
        axes.set_xlabel("time, s", fontsize=6)
        axes.tick_params(labelsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    write_atomically(path, buffer.getvalue())
