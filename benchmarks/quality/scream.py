"""Rows of the recipe scream: networks on recordings, five folds by source."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.quality.row import Figure, Row, cost_of
from trainers.export.artefact import write
from trainers.recipes.scream.recipe import ScreamRecipe

FOLDS = 5

_SEED = 7
_ON = "58 screams and 430 other recordings, among them ESC-10, infant cries, laughter, applause; 5 folds by source"
_KNOWN = "frame F1 .84, clip F1 .91 (41,000 parameters); Eye-SCREAM .936 on its own set"
# Short training to compare networks with: minutes of one core each.
_SHORT = {"steps": "100", "cycles": "1", "synthetic": "30"}
_EYE_SCREAM = {"hop": "4096", "kinds": "0", **_SHORT}

NETWORKS: dict[str, dict[str, str]] = {
    "scream-compact": {},
    "scream-compact-short": _SHORT,
    **{
        f"scream-{name.lower()}": {"model": name, **_EYE_SCREAM}
        for name in ("A", "B", "C", "C-RNN", "A-depthwise", "A-deep")
    },
    "scream-a-mel": {"model": "A", "features": "mel", **_EYE_SCREAM},
}
"""Settings of the recipe, by row; none: those of the shipped model."""

# By name: where the recipe's report has mean and deviation over folds, and where its metrics have all clips together.
# "Alone": with thresholds chosen on the screams, speech, laughter and streets of the other folds, as if there were no
# hard negatives; else one threshold holds for all.
_FIGURES = {
    "clip recall": ("folds", "clip_recall", "cv_clip_recall"),
    "false clips": ("folds", "false_clips", "cv_false_clips"),
    "clip F1, scream set": ("folds_scream_set", "clip_f1", "cv_scream_set_clip_f1"),
    "frame F1, scream set": ("folds_scream_set", "frame_f1", "cv_scream_set_frame_f1"),
    "clip F1, scream set alone": ("folds_scream_set_alone", "clip_f1", "cv_scream_set_alone_clip_f1"),
    "frame F1, scream set alone": ("folds_scream_set_alone", "frame_f1", "cv_scream_set_alone_frame_f1"),
    "20 dB quieter: clip recall": ("folds_quiet", "clip_recall", "cv_quiet_clip_recall"),
    "20 dB quieter: false clips": ("folds_quiet", "false_clips", "cv_quiet_false_clips"),
    "20 dB quieter: clip F1, scream set": ("", "", "cv_quiet_scream_set_clip_f1"),
    "20 dB quieter: frame F1, scream set alone": ("", "", "cv_quiet_scream_set_alone_frame_f1"),
    "clip recall before a room, 0 dB": ("", "", "cv_mixed_0_db_clip_recall"),
    "clip recall before a room, -5 dB": ("", "", "cv_mixed_-5_db_clip_recall"),
}


def figures_of(metrics: Mapping[str, float], report: Mapping[str, Any]) -> dict[str, Figure]:
    """Figures of all clips together, each with its deviation over folds where the recipe reports one."""
    figures = {}
    for name, (table, column, metric) in _FIGURES.items():
        if metric not in metrics:
            continue
        over_folds = report.get(table, {}).get(column)
        sd = None if over_folds is None else round(over_folds["sd"], 4)
        figures[name] = Figure(round(metrics[metric], 4), sd, 1 if sd is None else FOLDS)
    worst = worst_class(report["kinds"])
    if worst is not None:
        figures["false clips of the worst class"] = Figure(round(worst, 4), None, 1)
    return figures


def worst_class(kinds: Mapping[str, Mapping[str, Any]]) -> float | None:
    """The greatest share of a class of harmless clips that is called a scream, 0 to 1."""
    return max((row["called"] / row["clips"] for kind, row in kinds.items() if kind != "positive"), default=None)


def network(data: Path | None, settings: dict[str, str], order: int) -> Row | None:
    """One network, trained six times: for each fold, and on all."""
    if data is None or not (data / "scream" / "positive").is_dir():
        return None
    trained = ScreamRecipe().train(data, _SEED, settings)
    with tempfile.TemporaryDirectory() as out:
        size, cost = cost_of(write(trained, Path(out), _SEED, "0.1.0"))
    options = trained.report["options"]
    cycles = f" in the first of {options['cycles']} cycles" if options["cycles"] > 1 else ""
    return Row(
        recipe="scream",
        variant=", ".join([f"{name}={value}" for name, value in settings.items()] or ["as shipped"]),
        on=_ON,
        synthetic=False,
        parameters=0 if trained.model is None else trained.model.parameters,
        file_kb=size,
        window_ms=cost,
        figures=figures_of(trained.metrics, trained.report),
        known=_KNOWN,
        note=f"{options['steps']} steps of {options['batch']} windows a fold{cycles}; false clips by class:"
        f" {_false_clips(trained.report['kinds'])}",
        order=order,
    )


def _false_clips(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    listed = [
        f"{kind} {row['called']} of {row['clips']}"
        for kind, row in kinds.items()
        if kind != "positive" and row["called"]
    ]
    return ", ".join(listed) or "none"


ROWS = {
    name: (lambda data, settings=settings, order=order: network(data, settings, order))
    for order, (name, settings) in enumerate(NETWORKS.items())
}
