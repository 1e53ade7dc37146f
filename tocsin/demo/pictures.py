"""A plot of an alert: the spectrogram, and below it the score and its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from processors.core.audio.mel import band_edges
from processors.core.audio.recording import rows_of
from schemas.alert import Alert
from schemas.errors import OutputError
from schemas.features import FeatureSpec
from schemas.printable import plot_text
from schemas.score import Score

_SPEC = FeatureSpec(n_frames=1, window_hop=1)
_RANGE_DB = 70.0


def draw_alert(
    path: Path, alert: Alert, samples: npt.NDArray[np.int16], start_sample: int, scores: Sequence[Score]
) -> None:
    """Writes a PNG.

    Args:
        path: of the PNG.
        alert: its opening revision.
        samples: int16 (n, channels), the sound around it.
        start_sample: session index of ``samples[0]``.
        scores: of the same device, detector and session.

    Raises:
        OutputError: the file cannot be written.
    """
    rate = alert.sample_rate
    start_s, end_s = start_sample / rate, (start_sample + len(samples)) / rate
    figure = Figure(figsize=(11, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    frames = rows_of(samples, rate, _SPEC)
    top = float(frames.max()) if len(frames) else 0.0
    image = above.imshow(
        frames.T, origin="lower", aspect="auto", extent=(start_s, end_s, 0, _SPEC.n_mels),
        vmin=top - _RANGE_DB, vmax=top, cmap="magma", interpolation="nearest",
    )  # fmt: skip
    ticks = np.array([125, 250, 500, 1000, 2000, 4000, 8000])
    above.set_yticks(_mel_row(ticks), [f"{hz / 1000:g}k" if hz >= 1000 else f"{hz}" for hz in ticks])
    above.set_ylabel("Hz, mel scale")
    heading = f"{alert.device_id}: {alert.detector} alert, {alert.severity}"
    above.set_title(f"{plot_text(heading)}\n{plot_text(alert.summary)}", fontsize=10)
    figure.colorbar(image, ax=[above, below], label="dB", shrink=0.6)
    _draw_scores(below, alert, scores, start_s, end_s)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}: make room or name another folder with --out") from None


def _draw_scores(axes: Axes, alert: Alert, scores: Sequence[Score], start_s: float, end_s: float) -> None:
    rate = alert.sample_rate
    # A score belongs to its whole window; it is drawn at the window's end, when it became known.
    known = [score for score in scores if start_s <= (score.first_sample + score.n_samples) / rate <= end_s]
    times = [(score.first_sample + score.n_samples) / rate for score in known]
    axes.plot(times, [score.score for score in known], marker=".", color="tab:blue", label="score")
    limits = [(t, score.threshold) for t, score in zip(times, known, strict=True) if score.threshold is not None]
    axes.plot([t for t, _ in limits], [y for _, y in limits], color="tab:red", linestyle="--", label="threshold")
    opened = (alert.opened_first_sample + _length(known, alert)) / rate
    axes.axvline(opened, color="black", linewidth=1, label="alert opened")
    axes.set_xlabel("seconds into the session")
    axes.set_ylabel("score")
    axes.set_xlim(start_s, end_s)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)


def _length(scores: Sequence[Score], alert: Alert) -> int:
    return next((s.n_samples for s in scores if s.first_sample == alert.opened_first_sample), 0)


def _mel_row(hz: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    centres = band_edges(_SPEC)[1:-1]
    rows: npt.NDArray[np.float64] = np.interp(hz, centres, np.arange(_SPEC.n_mels) + 0.5)
    return rows
