"""Rows of the labelling aid: its proposals for recordings whose folders name their content."""

from __future__ import annotations

import time
from importlib import resources
from pathlib import Path

from benchmarks.quality.row import Figure, Row, cost_of, figure_of
from processors.adapters.models.onnx_model import load_shipped
from trainers.data.recordings import read_folder
from trainers.labelling.segments import UNSURE, Segment, segments_of
from trainers.recipes.scream.data import POSITIVE

_SCREAM = "scream"


def figures_of(segments: list[tuple[bool, list[Segment]]], seconds_a_minute: float) -> dict[str, Figure]:
    """Figures of the proposed labels.

    Args:
        segments: whether each recording holds a scream, and its segments.
        seconds_a_minute: CPU seconds per minute of audio.
    """
    screams = [bool(_labelled_scream(found)) for positive, found in segments if positive]
    others = [bool(_labelled_scream(found)) for positive, found in segments if not positive]
    texts = [segment.text for _, found in segments for segment in found]
    return {
        "screams with a segment labelled scream": figure_of([sum(screams) / max(len(screams), 1)]),
        "others with a segment labelled scream": figure_of([sum(others) / max(len(others), 1)]),
        "segments marked for review": figure_of([sum(text.startswith(UNSURE) for text in texts) / max(len(texts), 1)]),
        "segments per recording": figure_of([len(texts) / max(len(segments), 1)]),
        "CPU seconds per minute of audio": figure_of([seconds_a_minute]),
    }


def _labelled_scream(found: list[Segment]) -> list[Segment]:
    return [segment for segment in found if segment.text.removeprefix(UNSURE).strip() == _SCREAM]


def recordings(data: Path | None) -> Row | None:
    """The scream set labelled by the shipped model."""
    if data is None or not (data / "scream" / POSITIVE).is_dir():
        return None
    scorer = load_shipped(_SCREAM)
    recordings_read = read_folder(data, ["scream"], scorer.spec.sample_rate)
    began = time.process_time()
    segments = [(one.kind == POSITIVE, segments_of(one, scorer, _SCREAM)) for one in recordings_read]
    seconds = time.process_time() - began
    minutes = sum(len(one.samples) for one in recordings_read) / scorer.spec.sample_rate / 60.0
    with resources.as_file(resources.files("processors.shipped_models") / "scream.onnx") as path:
        size, cost = cost_of(path)
    return Row(
        recipe="label",
        variant="the shipped scream model",
        on=f"{len(recordings_read)} recordings of screams, speech, laughter and streets",
        synthetic=False,
        parameters=scorer.manifest.parameters,
        file_kb=size,
        window_ms=cost,
        figures=figures_of(segments, seconds / minutes),
        note="the shipped model was trained on these recordings: this shows what a person has to confirm in a set like"
        " it, not how well a network does on unseen recordings; for that see scream",
    )


ROWS = {"label-scream-set": recordings}
