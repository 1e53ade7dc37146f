"""From a network trained on normal clips to a finalise model: direction, threshold, figures, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.data.loaders.clip import ChannelRule, digest_of
from trainers.evaluation.direction import ensure_score_direction
from trainers.evaluation.examples import MakeExample, best_and_worst
from trainers.evaluation.metrics import quantiles_of
from trainers.export.golden import golden_windows
from trainers.export.provenance import training_digest
from trainers.model import Model
from trainers.recipe import Float32, Trained
from trainers.recipes.one_class.clips import (
    HeardClip,
    Parts,
    by_machine,
    figures,
    hear,
    swept,
    window_scores,
    with_generated,
)

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a model is judged by; heard before it is trained, so that a clip that is no good is known at once.

    Attributes:
        sweep, test: see :class:`trainers.recipes.one_class.clips.Parts`; with generated anomalies where there are no
            abnormal clips.
    """

    sweep: list[HeardClip]
    test: list[HeardClip]


def hear_judged(parts: Parts, spec: FeatureSpec, channel: ChannelRule, seed: int) -> Judged:
    """Listens to the clips that are not learned from.

    Raises:
        InputError: a clip cannot be used.
    """
    sweep, test = (
        with_generated(hear(clips, spec, channel, f"listening to the {name}'s clips"), spec, seed + number)
        for number, (name, clips) in enumerate((("sweep", parts.sweep), ("test", parts.test)))
    )
    return Judged(sweep, test)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedDetector:
    """What a recipe hands over.

    Attributes:
        name: of the recipe.
        model: scores windows; its score may still run the wrong way.
        spec: what it is fed.
        parts: the set's clips.
        judged: those to sweep and to test with.
        losses: see :class:`trainers.recipe.Trained`.
        options: for the report.
        synthetic: whether the set was made, not recorded.
        words: what it learned from, for people.
        look: an example of a title, a score and a window float32 (n_frames, width).
    """

    name: str
    model: Model
    spec: FeatureSpec
    parts: Parts
    judged: Judged
    losses: dict[str, list[float]]
    options: dict[str, Any]
    synthetic: bool
    words: str
    look: MakeExample


def finalise(learned: TrainedDetector, seed: int) -> Trained:
    """Settles the score's direction, sweeps the threshold, and measures on clips kept for it.

    Where the set has no abnormal clip, generated anomalies take their place, and the report says so.

    Raises:
        ScoreInverted: generated anomalies score below normal sound.
    """
    spec, parts = learned.spec, learned.parts
    sweep, test = learned.judged.sweep, learned.judged.test
    normal = [one for one in sweep if one.clip.label == "normal"]
    model, direction = ensure_score_direction(learned.model, spec, [one.samples for one in normal], seed)
    threshold, table = swept(*_by_label(sweep, window_scores(model, sweep)))
    scores = window_scores(model, test)
    healthy = np.concatenate(window_scores(model, normal))
    good, bad = _by_label(test, scores)
    return Trained(
        name=learned.name,
        detector="machine",
        model=model,
        spec=spec,
        calibration=Calibration(
            transfer="relative",
            threshold=round(threshold, 4),
            spread=round(max(float(healthy.std()), 1e-3), 4),
            n=len(healthy),
            quantiles=quantiles_of(healthy),
        ),
        metrics={name: round(value, 4) for name, value in figures(test, scores, threshold).items()},
        report={
            "options": learned.options,
            "synthetic": learned.synthetic,
            "clips": {part: len(getattr(parts, part)) for part in ("train", "validation", "sweep", "test")},
            "generated_anomalies": any("generated" in one.clip.details for one in test),
            "machines": by_machine(test, scores),
            "threshold_sweep": [{name: round(value, 4) for name, value in row.items()} for row in table],
        },
        trained_on=learned.words + (" of a synthetic set" if learned.synthetic else ""),
        training_digest=training_digest(digest_of(parts.train), seed),
        golden=golden_windows(spec, seed),
        scores={"normal": good, "abnormal": bad},
        threshold=threshold,
        losses=learned.losses,
        examples=best_and_worst(_windows_by_label(test, scores), learned.look),
        direction=direction,
    )


def machines_in(parts: Parts) -> str:
    """How many normal clips of which machines were learned from, for people."""
    machines = sorted({clip.machine for clip in parts.train if clip.machine})
    return f"{len(parts.train)} normal clips" + (f" of {', '.join(machines)}" if machines else "")


def _by_label(heard: Sequence[HeardClip], scores: Sequence[Float64]) -> tuple[Float64, Float64]:
    normal = [s for one, s in zip(heard, scores, strict=True) if one.clip.label == "normal"]
    abnormal = [s for one, s in zip(heard, scores, strict=True) if one.clip.label == "abnormal"]
    return np.concatenate(normal), np.concatenate(abnormal)


def _windows_by_label(
    heard: Sequence[HeardClip], scores: Sequence[Float64]
) -> dict[str, list[tuple[Float32, Float64]]]:
    pairs = list(zip(heard, scores, strict=True))
    return {
        label: [(one.windows, values) for one, values in pairs if one.clip.label == label]
        for label in ("normal", "abnormal")
    }
