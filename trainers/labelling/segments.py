"""The labelling aid: finds active segments and proposes a label for each, for a person to confirm.

Segmentation by energy, prediction, averaging over the segment, confirmation by listening: the semi-automatic labelling
of scream detection work. The scream recipe trains on confirmed labels in an Audacity label file next to the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.data.audacity import SUFFIX, Label, write_labels
from trainers.data.recordings import Recording, read_folder
from trainers.labelling.sheet import draw_sheet
from trainers.progress import track

Float32 = npt.NDArray[np.float32]

OTHER = "other"
UNSURE = "?"
"""Prefix of uncertain labels, to be reviewed first; the scream recipe ignores such segments."""
SEGMENTS_PER_SHEET = 24

_BELOW_LOUDEST_DB, _ABOVE_FLOOR_DB = 30.0, 6.0
_LONGEST_PAUSE_S, _SHORTEST_S = 0.3, 0.15
_CONTEXT_S = 0.5


class Scorer(Protocol):
    """A model of log-mel windows, such as :class:`processors.adapters.models.onnx_model.OnnxModel`."""

    @property
    def spec(self) -> FeatureSpec: ...

    @property
    def calibration(self) -> Calibration: ...

    def score(self, features: Float32) -> tuple[Float32, Float32 | None]:
        """Scores float32 (n,) of windows float32 (n, n_frames, width), and the second output, if any."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """An active segment of a recording and its proposed label.

    Attributes:
        recording: its name below the folder.
        start_s, end_s: seconds from the recording's start.
        score: the model's, averaged over overlapping windows, weighted by overlap.
        text: proposed label.
        picture: log-mel frames from half a second before it to half a second after, float32 (n, n_mels), dB.
    """

    recording: str
    start_s: float
    end_s: float
    score: float
    text: str
    picture: Float32


def label_folder(folder: Path, scorer: Scorer, scream: str, out: Path) -> list[Segment]:
    """Writes a label file for each recording of a folder, in the folder's layout, and sheets of spectrograms.

    Args:
        folder: of recordings.
        scorer: the model.
        scream: label of segments above the threshold; the model's detector.
        out: folder for ``clip.txt`` of each ``clip.wav`` and ``sheet-001.png`` and so on; files are overwritten.

    Returns:
        All segments, in the order of the recordings' names.

    Raises:
        InputError: the folder, or a recording in it, cannot be used.
        SettingsError: the model does not take log-mel windows.
        OutputError: a file cannot be written.
    """
    if scorer.spec.transform != "log_mel" or scorer.spec.pool != 1:
        raise SettingsError(
            f"the model takes {scorer.spec.transform} rows of {scorer.spec.pool}; labelling needs log-mels:"
            " give a model of log-mel windows"
        )
    segments = []
    for recording in track(read_folder(folder, (), scorer.spec.sample_rate), "labelling"):
        found = segments_of(recording, scorer, scream)
        labels = [Label(segment.start_s, segment.end_s, segment.text) for segment in found]
        write_labels((out / recording.name).with_suffix(SUFFIX), labels)
        segments += found
    for number, first in enumerate(range(0, len(segments), SEGMENTS_PER_SHEET), start=1):
        rows = [
            (
                f"{one.recording}\n{one.start_s:.2f} to {one.end_s:.2f} s: {one.text} ({one.score:+.1f})",
                one.picture,
                one.start_s,
            )
            for one in segments[first : first + SEGMENTS_PER_SHEET]
        ]
        draw_sheet(rows, scorer.spec, _CONTEXT_S, out / f"sheet-{number:03d}.png")
    return segments


def segments_of(recording: Recording, scorer: Scorer, scream: str) -> list[Segment]:
    """The active segments of a recording in order of time, each with a proposed label."""
    spec = scorer.spec
    # Half a window of silence on either side centres windows on the first and last sound.
    margin = spec.window_samples // 2 + 1
    frames = rows_of(np.pad(recording.samples, margin), spec.sample_rate, spec)
    starts, scores = _scored(frames, scorer)
    threshold, spread = scorer.calibration.threshold, scorer.calibration.spread
    frame_s = spec.hop / spec.sample_rate
    length_s = len(recording.samples) / spec.sample_rate
    segments = []
    for first, last in active_spans(frames, frame_s):
        mean = _mean(first, last, starts, scores, spec.n_frames)
        name = scream if mean > threshold else OTHER
        text = name if abs(mean - threshold) > spread else f"{UNSURE} {name}"
        # A frame stands for the time around its middle.
        offset_s = (spec.n_fft / 2.0 - margin) / spec.sample_rate - frame_s / 2.0
        start_s, end_s = (float(np.clip(frame_s * edge + offset_s, 0.0, length_s)) for edge in (first, last))
        context = round(_CONTEXT_S / frame_s)
        picture = frames[max(first - context, 0) : last + context]
        segments.append(Segment(recording.name, start_s, end_s, mean, text, picture))
    return segments


def active_spans(frames: Float32, frame_s: float) -> list[tuple[int, int]]:
    """Spans of active frames: within 30 dB of the 95th percentile and 6 dB above the 10th percentile of energy.

    Pauses below 0.3 s are bridged, then spans below 0.15 s are dropped. If the level is nearly constant, all frames
    form one span.

    Args:
        frames: float32 (n, n_mels), dB.
        frame_s: seconds from one frame to the next.

    Returns:
        First frame, and one past the last, of each span.
    """
    if not len(frames):
        return []
    energy = 10.0 * np.log10(np.power(10.0, frames.astype(np.float64) / 10.0).sum(axis=1))
    loudest, floor = np.percentile(energy, 95), np.percentile(energy, 10)
    active = energy > loudest - _BELOW_LOUDEST_DB
    if loudest - floor > 2.0 * _ABOVE_FLOOR_DB:
        active &= energy > floor + _ABOVE_FLOOR_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    joined: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if joined and (first - joined[-1][1]) * frame_s < _LONGEST_PAUSE_S:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return [(first, last) for first, last in joined if (last - first) * frame_s >= _SHORTEST_S]


def _scored(frames: Float32, scorer: Scorer) -> tuple[npt.NDArray[np.int64], Float32]:
    """First frames of all windows, and their scores."""
    windows = windows_of(frames, scorer.spec)
    starts = np.arange(len(windows), dtype=np.int64) * scorer.spec.window_hop
    return starts, scorer.score(windows)[0] if len(windows) else np.empty(0, dtype=np.float32)


def _mean(first: int, last: int, starts: npt.NDArray[np.int64], scores: Float32, n_frames: int) -> float:
    """Mean score of the windows that overlap with a span, weighted by overlap; the nearest window's if none does."""
    overlap = np.minimum(last, starts + n_frames) - np.maximum(first, starts)
    weights = np.maximum(overlap, 0).astype(np.float64)
    # Windows that barely overlap say little about the span.
    weights = np.where(weights >= 0.5 * weights.max(initial=0.0), weights, 0.0)
    if not weights.any():
        return float(scores[int(np.argmax(overlap))])
    return float(np.average(scores, weights=weights))


def summary(segments: Sequence[Segment]) -> dict[str, int]:
    """Number of segments by label."""
    counts: dict[str, int] = {}
    for segment in segments:
        counts[segment.text] = counts.get(segment.text, 0) + 1
    return counts
