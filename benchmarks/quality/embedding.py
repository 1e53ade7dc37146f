"""Rows of the recipe embedding: the states of a real motor as if they were devices, by phases and by embeddings."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.quality.row import Row, cost_of, figure_of
from trainers.export.artefact import write
from trainers.recipes.embedding.recipe import EmbeddingRecipe

_ON = "electric motor, each of five states in turn as normal against each other (20 pairs), 4 folds by recording, "
_HELD_OUT = {"yes": "drawn at random", "blocks": "each a contiguous quarter of the recordings"}
_KNOWN = "mean .84, worst pair .64 (Mahalanobis of means and deviations of log-mels)"
_SMALL = {"steps": "60", "synthetic": "10", "batch": "16"}


def motor(
    data: Path | None, settings: dict[str, str], seeds: tuple[int, ...], note: str, order: int, pairs: str = "yes"
) -> Row | None:
    """All pairs of states."""
    if data is None or not (data / "motor").is_dir():
        return None
    metrics: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as out:
        for seed in seeds:
            trained = EmbeddingRecipe().train(data / "motor", seed, {**settings, "pairs": pairs})
            for name, value in trained.metrics.items():
                metrics.setdefault(name, []).append(value)
        path = write(trained, Path(out), seeds[-1], "0.1.0")
        size, cost = cost_of(path)
    return Row(
        recipe="embedding",
        variant="embedding=no" if settings.get("embedding") == "no" else "embedding=yes, 60 steps",
        on=_ON + _HELD_OUT[pairs],
        synthetic=False,
        parameters=0 if trained.model is None else trained.model.parameters,
        file_kb=size,
        window_ms=cost,
        figures={name.replace("_", " ") + " AUC": figure_of(values) for name, values in metrics.items()},
        known=_KNOWN,
        note=note,
        order=order,
    )


def phases(data: Path | None) -> Row | None:
    """Loud and quiet phases alone."""
    note = "much of the difference is in the quiet between strokes: part of it may be the room on that day"
    return motor(data, {"embedding": "no"}, (1, 2, 3, 4, 5), note, 0)


def phases_blocks(data: Path | None) -> Row | None:
    """The same, tested on another time than it was trained on."""
    note = "nothing is random: one run; the motor drifts from one part of its recordings to the next"
    return motor(data, {"embedding": "no"}, (1,), note, 1, "blocks")


def embedding(data: Path | None) -> Row | None:
    """With embeddings that have met neither state of a pair."""
    note = "a pair's embedding was trained on the other three states, synthetic machines and shifts of both"
    return motor(data, {"embedding": "yes", **_SMALL}, (1,), note, 2)


ROWS = {"embedding-phases": phases, "embedding-phases-blocks": phases_blocks, "embedding-trained": embedding}
