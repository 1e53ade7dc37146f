"""The labelling aid: stretches that sound, what a model takes each for, for a person to confirm.

Segmentation by energy, prediction, average over the segment, confirmation by ear: the semi-automatic labelling of
scream detection work. What a person has confirmed lies beside the recording as an Audacity label file and is learned
from by the scream recipe.
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
"""In front of a label that a person should look at first; the scream recipe leaves such stretches out."""
SEGMENTS_A_SHEET = 24

_BELOW_LOUDEST_DB, _ABOVE_FLOOR_DB = 30.0, 6.0
_LONGEST_PAUSE_S, _SHORTEST_S = 0.3, 0.15
_CONTEXT_S = 0.5


class Ear(Protocol):
    """A model of log-mel windows, as :class:`processors.adapters.models.onnx_model.OnnxModel` is."""

    @property
    def spec(self) -> FeatureSpec: ...

    @property
    def calibration(self) -> Calibration: ...

    def score(self, features: Float32) -> tuple[Float32, Float32 | None]:
        """Scores float32 (n,) of windows float32 (n, n_frames, width), and its second output, if any."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A stretch that sounds, and what the model takes it for.

    Attributes:
        recording: its name below the folder.
        start_s, end_s: seconds from the recording's beginning.
        score: the model's, averaged over the windows that overlap, each by how much.
        text: for the label track.
        picture: log-mel frames from half a second before it to half a second after, float32 (n, n_mels), dB.
    """

    recording: str
    start_s: float
    end_s: float
    score: float
    text: str
    picture: Float32


def label_folder(folder: Path, ear: Ear, scream: str, out: Path) -> list[Segment]:
    """Writes a label file for each recording of a folder, in the folder's layout, and sheets of spectrograms.

    Args:
        folder: of recordings.
        ear: predicts.
        scream: what a stretch above the threshold is called; the model's detector.
        out: for ``clip.txt`` of each ``clip.wav`` and ``sheet-001.png`` and so on; what it holds is overwritten.

    Returns:
        All segments, in the order of the recordings' names.

    Raises:
        InputError: the folder cannot be used, or a recording in it.
        SettingsError: the model does not take windows of log-mels.
        OutputError: a file cannot be written.
    """
    if ear.spec.transform != "log_mel" or ear.spec.pool != 1:
        raise SettingsError(f"the model takes {ear.spec.transform} rows of {ear.spec.pool}; labelling wants log-mels")
    segments = []
    for recording in track(read_folder(folder, (), ear.spec.sample_rate), "labelling"):
        found = segments_of(recording, ear, scream)
        labels = [Label(segment.start_s, segment.end_s, segment.text) for segment in found]
        write_labels((out / recording.name).with_suffix(SUFFIX), labels)
        segments += found
    for number, first in enumerate(range(0, len(segments), SEGMENTS_A_SHEET), start=1):
        rows = [
            (
                f"{one.recording}\n{one.start_s:.2f} to {one.end_s:.2f} s: {one.text} ({one.score:+.1f})",
                one.picture,
                one.start_s,
            )
            for one in segments[first : first + SEGMENTS_A_SHEET]
        ]
        draw_sheet(rows, ear.spec, _CONTEXT_S, out / f"sheet-{number:03d}.png")
    return segments


def segments_of(recording: Recording, ear: Ear, scream: str) -> list[Segment]:
    """The stretches of a recording that sound, in order of time, each with the model's opinion."""
    spec = ear.spec
    # Half a window of silence on either side: the first and last sound of a short clip are in the middle of a window.
    margin = spec.window_samples // 2 + 1
    frames = rows_of(np.pad(recording.samples, margin), spec.sample_rate, spec)
    starts, scores = _scored(frames, ear)
    limit, spread = ear.calibration.threshold, ear.calibration.spread
    at = spec.hop / spec.sample_rate
    length_s = len(recording.samples) / spec.sample_rate
    segments = []
    for first, last in stretches(frames, at):
        mean = _mean(first, last, starts, scores, spec.n_frames)
        name = scream if mean > limit else OTHER
        text = name if abs(mean - limit) > spread else f"{UNSURE} {name}"
        # A frame stands for the time around its middle.
        offset_s = (spec.n_fft / 2.0 - margin) / spec.sample_rate - at / 2.0
        start_s, end_s = (float(np.clip(at * edge + offset_s, 0.0, length_s)) for edge in (first, last))
        context = round(_CONTEXT_S / at)
        picture = frames[max(first - context, 0) : last + context]
        segments.append(Segment(recording.name, start_s, end_s, mean, text, picture))
    return segments


def stretches(frames: Float32, seconds_a_frame: float) -> list[tuple[int, int]]:
    """Where frames sound: within 30 dB of the loudest twentieth, and 6 dB above the quietest tenth.

    Pauses below 0.3 s are bridged; what is then shorter than 0.15 s is dropped. Where all is about equally loud,
    everything is one stretch.

    Args:
        frames: float32 (n, n_mels), dB.
        seconds_a_frame: from one to the next.

    Returns:
        First frame and one past the last of each.
    """
    if not len(frames):
        return []
    energy = 10.0 * np.log10(np.power(10.0, frames.astype(np.float64) / 10.0).sum(axis=1))
    loudest, floor = np.percentile(energy, 95), np.percentile(energy, 10)
    sounding = energy > loudest - _BELOW_LOUDEST_DB
    if loudest - floor > 2.0 * _ABOVE_FLOOR_DB:
        sounding &= energy > floor + _ABOVE_FLOOR_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sounding, [False]]).astype(np.int8)))
    joined: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if joined and (first - joined[-1][1]) * seconds_a_frame < _LONGEST_PAUSE_S:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return [(first, last) for first, last in joined if (last - first) * seconds_a_frame >= _SHORTEST_S]


def _scored(frames: Float32, ear: Ear) -> tuple[npt.NDArray[np.int64], Float32]:
    """First frames of all windows on the model's grid, and their scores."""
    windows = windows_of(frames, ear.spec)
    starts = np.arange(len(windows), dtype=np.int64) * ear.spec.window_hop
    return starts, ear.score(windows)[0] if len(windows) else np.empty(0, dtype=np.float32)


def _mean(first: int, last: int, starts: npt.NDArray[np.int64], scores: Float32, n_frames: int) -> float:
    """Average of the windows that overlap with a stretch, weighted by how much; the nearest, where none does."""
    overlap = np.minimum(last, starts + n_frames) - np.maximum(first, starts)
    weights = np.maximum(overlap, 0).astype(np.float64)
    # A window that holds little else than the stretch's edge says little of it.
    weights = np.where(weights >= 0.5 * weights.max(initial=0.0), weights, 0.0)
    if not weights.any():
        return float(scores[int(np.argmax(overlap))])
    return float(np.average(scores, weights=weights))


def summary(segments: Sequence[Segment]) -> dict[str, int]:
    """How many segments bear each label."""
    counts: dict[str, int] = {}
    for segment in segments:
        counts[segment.text] = counts.get(segment.text, 0) + 1
    return counts
