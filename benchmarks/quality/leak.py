"""Rows of the recipe leak, on a synthetic set of loggers: none that is real could be had."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from benchmarks.quality.row import Row, cost_of, figure_of
from schemas.errors import ScoreInverted
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.export.artefact import write
from trainers.recipes.leak.recipe import LeakRecipe

SEEDS = (1, 2)
# The first variants are measured with both seeds, the others with the first.
_TWICE = 4

_SET = SetOptions(ids=16, clips=8, anomalies=4, seed=11)
_VARIANTS: dict[str, dict[str, str]] = {
    "leak-extractor-conv": {},
    "leak-extractor-vae": {"model": "vae"},
    "leak-gfcc-conv": {"features": "gfcc"},
    "leak-gfcc-vae": {"features": "gfcc", "model": "vae"},
    "leak-gfcc-beta-h": {"features": "gfcc", "model": "beta-vae-h"},
    "leak-gfcc-beta-b": {"features": "gfcc", "model": "beta-vae-b"},
    "leak-mfcc-conv": {"features": "mfcc"},
    # On whole images a step of 64 takes three seconds of a core.
    "leak-plain-conv": {"extractor": "none", "batch": "16"},
    "leak-mobilenet-v2-conv": {"extractor": "mobilenet_v2"},
    "leak-resnet50-conv": {"extractor": "resnet50"},
    "leak-densenet121-conv": {"extractor": "densenet121"},
}


@lru_cache(maxsize=1)
def _loggers() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-quality-")) / "set"
    write_set("leak", folder, _SET)
    return folder


def loggers(settings: dict[str, str], order: int, seeds: tuple[int, ...]) -> Row:
    """Sixteen places; no logger on both sides."""
    metrics: dict[str, list[float]] = {}
    refused, turned = 0, 0
    path = parameters = None
    with tempfile.TemporaryDirectory() as out:
        for seed in seeds:
            try:
                trained = LeakRecipe().train(_loggers(), seed, {"preset": "small", **settings})
            except ScoreInverted:
                refused += 1
                continue
            path = write(trained, Path(out), seed, "0.1.0")
            parameters = trained.model.parameters if trained.model is not None else None
            turned += trained.direction is not None and trained.direction.kind == "two-sided"
            for name, value in trained.metrics.items():
                metrics.setdefault(name.replace("_", " "), []).append(value)
        size, cost = cost_of(path) if path is not None else (None, None)
    return Row(
        recipe="leak",
        variant=", ".join(f"{name}={value}" for name, value in settings.items()) or "mobilenet_v3_large, conv-ae",
        on="sixteen loggers, eight clips each without a leak and four with one; whole loggers held out",
        synthetic=True,
        parameters=parameters or 0,
        file_kb=size,
        window_ms=cost,
        figures={name: figure_of(values) for name, values in metrics.items()},
        known="AUC: VAE .997, conv AE .03, on the source's own set, shuffled copies of recordings among the test's",
        note=f"of {len(seeds)} seeds {turned} made two-sided, {refused} refused because the score fell with anomalies",
        order=order,
    )


ROWS = {
    name: (
        lambda _data, settings=settings, order=order: loggers(settings, order, SEEDS if order < _TWICE else SEEDS[:1])
    )
    for order, (name, settings) in enumerate(_VARIANTS.items())
}
