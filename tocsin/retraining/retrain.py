"""A retraining from a set of sound to a shadow, or to the reasons why not."""

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
from tocsin.diagnostics import say
from tocsin.retraining.evaluation import ModelEvaluation, evaluate
from tocsin.retraining.picture import draw
from tocsin.retraining.sound_set import SoundFile, Split, split
from trainers.evaluation.compare import Figures, Tolerance, figures_of, rejection_reasons
from trainers.export.artefact import write
from trainers.files import write_atomically
from trainers.recipes.registry import recipe

PICTURE = "comparison.png"


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """What is to be done.

    Attributes:
        recipe: its name.
        settings: options of the recipe, by name.
        seed: of training and anomalies.
        held_out: share of each device's normal sound, above 0 and below 1.
        snrs_db: levels of generated anomalies, dB.
        most_seconds: of each device's held-out sound that are scored.
        tolerance: how much worse a figure may look.
    """

    recipe: str
    settings: Mapping[str, str]
    seed: int
    held_out: float
    snrs_db: tuple[float, ...]
    most_seconds: float
    tolerance: Tolerance = field(default_factory=Tolerance)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of it.

    Attributes:
        model: the trained file; None where the recipe itself refused what it had learned.
        detector: the role it plays; empty likewise.
        version: of the model.
        devices: whose sound it was.
        worse: reasons not to publish; empty where there are none.
        tolerance: what they were held against.
        candidate: figures; None where the recipe refused.
        champion: figures on the same windows; None where nothing scores today.
        champions: names of the champions, each once.
        seconds: of normal sound learned from, of reference, and measured on.
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

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "verdict": "worse" if self.worse else "not worse",
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
"""What scores today, by device, given the devices and the detector."""


def retrain(
    order: RetrainRequest, files: Iterable[SoundFile], out: Path, workspace: Path, champions: Champions
) -> Outcome:
    """Trains, compares and writes model and picture; publishes nothing.

    Args:
        order: what is to be done.
        files: the set.
        out: folder of the results.
        workspace: folder for what is needed meanwhile.
        champions: asked once the model's detector is known.

    Raises:
        InputError, SettingsError: the set cannot be used, or is too small.
        OutputError: a file cannot be written.
    """
    parts = split(files, order.held_out)
    devices = tuple(sorted({one.device for one in parts.measured}))
    seconds = {
        "learned": _seconds(parts.learned),
        "reference": _seconds(parts.reference),
        "measured": _seconds(parts.measured),
    }
    say(f"{len(devices)} devices: {seconds['learned']:.0f} s to learn from, {seconds['measured']:.0f} s to measure on")
    _say_too_short(parts.too_short, "evaluate any of it out: it is learned from alone")
    version = f"{datetime.now(UTC):%Y.%m.%d-%H%M%S}"
    learned = _laid_out(parts, workspace / "learned")
    try:
        with _progress_aside():
            trained = recipe(order.recipe).train(learned, order.seed, order.settings)
    except ScoreInverted as error:
        return Outcome(None, "", version, devices, (str(error),), order.tolerance, seconds=seconds)
    path = write(trained, out, order.seed, version)
    say(f"trained {path} on {trained.trained_on}")
    candidate = load_model(path)
    today = champions(devices, candidate.manifest.detector)
    trial = evaluate(parts, candidate, today, order.snrs_db, order.seed, order.most_seconds)
    _say_too_short(trial.too_short, "measure on")
    champion = [("champion", trial.champion)] if trial.champion else []
    write_atomically(out / PICTURE, draw([("candidate", trial.candidate), *champion]))
    return _judged(order, trial, path, candidate, today, devices, seconds)


@contextlib.contextmanager
def _progress_aside() -> Iterator[None]:
    """Recipes draw their progress on standard output, which is for results here; in a log it would be blank lines."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(sys.stderr if sys.stderr.isatty() else nowhere),
    ):
        yield


def _judged(
    order: RetrainRequest,
    trial: ModelEvaluation,
    path: Path,
    candidate: OnnxModel,
    today: Mapping[str, OnnxModel | None],
    devices: tuple[str, ...],
    seconds: dict[str, float],
) -> Outcome:
    """Where only some devices have a champion, both models are judged on those."""
    with_champion = {one.device for one in trial.champion}
    ours = [one for one in trial.candidate if not with_champion or one.device in with_champion]
    figures = figures_of(ours)
    champion = figures_of(trial.champion) if trial.champion else None
    refs = {model.ref for model in today.values() if model is not None}
    return Outcome(
        model=path,
        detector=candidate.manifest.detector,
        version=candidate.manifest.version,
        devices=devices,
        worse=tuple(rejection_reasons(figures, champion, order.tolerance)),
        tolerance=order.tolerance,
        candidate=figures,
        champion=champion,
        champions=tuple(sorted(f"{ref.name} {ref.version} {ref.sha256[:12]}" for ref in refs)),
        seconds=seconds,
    )


def _laid_out(parts: Split, folder: Path) -> Path:
    """What is learned from as a folder of its own, of links."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for one in parts.learned:
            link = folder / ("abnormal" if one.abnormal else "normal") / one.device / Path(one.name).name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(one.path.resolve())
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}: name another folder with --out") from None
    return folder


def _say_too_short(devices: Sequence[str], to_what: str) -> None:
    if devices:
        say(f"{', '.join(devices)}: too little sound to {to_what}")


def _seconds(files: Sequence[SoundFile]) -> float:
    return round(sum(one.seconds for one in files if not one.abnormal), 3)
