"""A retraining: train on a sound set, evaluate, and decide whether the model is worse than its champion."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from processors.adapters.models.onnx_model import OnnxModel, load_model
from schemas.errors import OutputError, ScoreInverted
from tocsin.diagnostics import log_line
from tocsin.retraining.evaluation import ModelEvaluation, evaluate
from tocsin.retraining.picture import draw
from tocsin.retraining.sound_set import SoundFile, Split, split
from trainers.evaluation.compare import Figures, Tolerance, figures_of, rejection_reasons
from trainers.export.artefact import write
from trainers.files import write_atomically
from trainers.recipes.registry import recipe

PLOT = "comparison.png"


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """Parameters of a retraining.

    Attributes:
        recipe: name of the recipe.
        settings: settings of the recipe, by name.
        seed: of training and anomalies.
        held_out: share of each device's normal sound, above 0 and below 1.
        snrs_db: levels of generated anomalies, dB.
        max_seconds: maximum of each device's held-out sound to score.
        tolerance: accepted drop of each figure.
    """

    recipe: str
    settings: Mapping[str, str]
    seed: int
    held_out: float
    snrs_db: tuple[float, ...]
    max_seconds: float
    tolerance: Tolerance = field(default_factory=Tolerance)


@dataclass(frozen=True, slots=True, eq=False)
class RetrainOutcome:
    """Result of a retraining.

    Attributes:
        model: the trained file; None if the recipe refused its own model.
        detector: that the model is for; empty if the recipe refused.
        version: of the model.
        devices: that the sound is from.
        worse: reasons not to publish; empty if there are none.
        tolerance: that the figures were compared with.
        candidate: figures; None if the recipe refused.
        champion: figures on the same windows; None without a champion.
        champions: names of the champions, without duplicates.
        seconds: of normal sound for training, as reference, and for evaluation.
    """

    model: Path | None
    detector: str
    version: str
    devices: tuple[str, ...]
    worse: tuple[str, ...]
    tolerance: Tolerance
    candidate: Figures | None = None
    champion: Figures | None = None
    champions: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The content of the JSON report."""
        return {
            "result": "worse" if self.worse else "not worse",
            "tolerance": asdict(self.tolerance),
            "reasons": list(self.worse),
            "model": None if self.model is None else str(self.model),
            "detector": self.detector,
            "version": self.version,
            "devices": list(self.devices),
            "seconds": self.seconds,
            "champions": list(self.champions),
            "candidate_figures": None if self.candidate is None else asdict(self.candidate),
            "champion_figures": None if self.champion is None else asdict(self.champion),
        }


Champions = Callable[[Sequence[str], str], Mapping[str, OnnxModel | None]]
"""Given the devices and the detector, the present champion of each device."""


def retrain(
    request: RetrainRequest, files: Iterable[SoundFile], out: Path, workspace: Path, champions: Champions
) -> RetrainOutcome:
    """Trains and evaluates a model, and writes it with a plot; publishes nothing.

    Args:
        request: the parameters.
        files: the sound set.
        out: folder for the results.
        workspace: folder for temporary files.
        champions: called once the model's detector is known.

    Raises:
        InputError, SettingsError: the set cannot be used, or is too small.
        OutputError: a file cannot be written.
    """
    parts = split(files, request.held_out)
    devices = tuple(sorted({one.device for one in parts.evaluation}))
    seconds = {
        "training": _seconds(parts.training),
        "reference": _seconds(parts.reference),
        "evaluation": _seconds(parts.evaluation),
    }
    log_line(
        f"{len(devices)} devices: {seconds['training']:.0f} s to train, {seconds['evaluation']:.0f} s to evaluate on"
    )
    _log_too_short(parts.too_short, "hold any out: all of it is used for training")
    version = f"{datetime.now(UTC):%Y.%m.%d-%H%M%S}"
    data = _link_training_data(parts, workspace / "training")
    try:
        with _progress_to_stderr():
            trained = recipe(request.recipe).train(data, request.seed, request.settings)
    except ScoreInverted as error:
        return RetrainOutcome(None, "", version, devices, (str(error),), request.tolerance, seconds=seconds)
    path = write(trained, out, request.seed, version)
    log_line(f"trained {path} on {trained.trained_on}")
    candidate = load_model(path)
    present = champions(devices, candidate.manifest.detector)
    evaluation = evaluate(parts, candidate, present, request.snrs_db, request.seed, request.max_seconds)
    _log_too_short(evaluation.too_short, "evaluate on")
    champion = [("champion", evaluation.champion)] if evaluation.champion else []
    write_atomically(out / PLOT, draw([("candidate", evaluation.candidate), *champion]))
    return _outcome(request, evaluation, path, candidate, present, devices, seconds)


@contextlib.contextmanager
def _progress_to_stderr() -> Iterator[None]:
    """Redirects the recipes' progress bars: standard output is for results, and in a log they would be blank lines."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as devnull,
        contextlib.redirect_stdout(sys.stderr if sys.stderr.isatty() else devnull),
    ):
        yield


def _outcome(
    request: RetrainRequest,
    evaluation: ModelEvaluation,
    path: Path,
    candidate: OnnxModel,
    present: Mapping[str, OnnxModel | None],
    devices: tuple[str, ...],
    seconds: dict[str, float],
) -> RetrainOutcome:
    """Compares both models; if only some devices have a champion, on those devices."""
    with_champion = {one.device for one in evaluation.champion}
    candidate_scores = [one for one in evaluation.candidate if not with_champion or one.device in with_champion]
    figures = figures_of(candidate_scores)
    champion = figures_of(evaluation.champion) if evaluation.champion else None
    refs = {model.ref for model in present.values() if model is not None}
    return RetrainOutcome(
        model=path,
        detector=candidate.manifest.detector,
        version=candidate.manifest.version,
        devices=devices,
        worse=tuple(rejection_reasons(figures, champion, request.tolerance)),
        tolerance=request.tolerance,
        candidate=figures,
        champion=champion,
        champions=tuple(sorted(f"{ref.name} {ref.version} {ref.sha256[:12]}" for ref in refs)),
        seconds=seconds,
    )


def _link_training_data(parts: Split, folder: Path) -> Path:
    """A folder of links to the training part."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for one in parts.training:
            link = folder / ("abnormal" if one.abnormal else "normal") / one.device / Path(one.name).name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(one.path.resolve())
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}: name another folder with --out") from None
    return folder


def _log_too_short(devices: Sequence[str], purpose: str) -> None:
    if devices:
        log_line(f"{', '.join(devices)}: too little sound to {purpose}")


def _seconds(files: Sequence[SoundFile]) -> float:
    return round(sum(one.seconds for one in files if not one.abnormal), 3)
