"""Rows of the labelling aid: what it proposes for recordings whose folder says what they hold."""

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
    """Figures of what was proposed.

    Args:
        segments: of each recording, and whether it holds a scream.
        seconds_a_minute: of one core, for a minute of sound.
    """
    screams = [bool(_called(found)) for holds, found in segments if holds]
    others = [bool(_called(found)) for holds, found in segments if not holds]
    texts = [segment.text for _, found in segments for segment in found]
    return {
        "screams with a stretch called one": figure_of([sum(screams) / max(len(screams), 1)]),
        "others with a stretch called one": figure_of([sum(others) / max(len(others), 1)]),
        "stretches to look at first": figure_of([sum(text.startswith(UNSURE) for text in texts) / max(len(texts), 1)]),
        "stretches a recording": figure_of([len(texts) / max(len(segments), 1)]),
        "seconds of a core a minute of sound": figure_of([seconds_a_minute]),
    }


def _called(found: list[Segment]) -> list[Segment]:
    return [segment for segment in found if segment.text.removeprefix(UNSURE).strip() == _SCREAM]


def recordings(data: Path | None) -> Row | None:
    """The scream set with the shipped model."""
    if data is None or not (data / "scream" / POSITIVE).is_dir():
        return None
    ear = load_shipped(_SCREAM)
    heard = read_folder(data, ["scream"], ear.spec.sample_rate)
    began = time.process_time()
    segments = [(one.kind == POSITIVE, segments_of(one, ear, _SCREAM)) for one in heard]
    taken = time.process_time() - began
    minutes = sum(len(one.samples) for one in heard) / ear.spec.sample_rate / 60.0
    with resources.as_file(resources.files("processors.shipped_models") / "scream.onnx") as path:
        size, cost = cost_of(path)
    return Row(
        recipe="label",
        variant="the shipped scream model",
        on=f"{len(heard)} recordings of screams, speech, laughter and streets",
        synthetic=False,
        parameters=ear.manifest.parameters,
        file_kb=size,
        window_ms=cost,
        figures=figures_of(segments, taken / minutes),
        note="the shipped model has learned from these recordings: this shows what a person gets to confirm of a set"
        " like it, not how well a network does on what it has never heard; for that see scream",
    )


ROWS = {"label-scream-set": recordings}
