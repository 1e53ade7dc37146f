"""From normal clips to a finished model: what the recipes that train an autoencoder on them alone have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from schemas.errors import InputError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.data.loaders.clip import Clip, digest_of
from trainers.data.loaders.layout import load_clips
from trainers.data.synthetic_set import is_synthetic
from trainers.evaluation.direction import ensure_score_direction
from trainers.evaluation.examples import MakeExample, best_and_worst
from trainers.evaluation.metrics import quantiles_of
from trainers.export.golden import golden_windows
from trainers.export.provenance import training_digest
from trainers.export.torch_model import TorchModel
from trainers.model import Model
from trainers.recipe import Float32, Trained
from trainers.recipes.one_class.data import (
    ClipSplit,
    EvaluationClips,
    WindowedClip,
    read_evaluation_clips,
    select_clips,
    split_clips,
)
from trainers.recipes.one_class.network import ErrorScore
from trainers.recipes.one_class.options import OneClassOptions
from trainers.recipes.one_class.quality import (
    by_label,
    clip_metrics,
    metrics_by_machine,
    sweep_threshold,
    window_scores,
)
from trainers.training.epochs import fit_epochs
from trainers.training.loop import repeatable

Float64 = npt.NDArray[np.float64]
Options = TypeVar("Options", bound=OneClassOptions)
Score = TypeVar("Score", bound=ErrorScore)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedDetector:
    """A trained network and the clips it is measured with.

    Attributes:
        name: of the recipe.
        model: scores windows; the score's direction is not checked yet.
        spec: its input.
        split: the set's clips.
        evaluation: those to sweep and to test with.
        losses: see :class:`trainers.recipe.Trained`.
        options: for the report.
        synthetic: whether the set is synthetic.
        trained_on: for people.
        example_of: an example of a title, a score and a window float32 (n_frames, width).
    """

    name: str
    model: Model
    spec: FeatureSpec
    split: ClipSplit
    evaluation: EvaluationClips
    losses: dict[str, list[float]]
    options: dict[str, Any]
    synthetic: bool
    trained_on: str
    example_of: MakeExample


class OneClassRecipe(ABC, Generic[Options, Score]):
    """A recipe that trains an autoencoder on normal clips; see :class:`trainers.recipe.Recipe`.

    Subclasses give features, network and score; how a set is split, trained on and measured is the same for all.

    Attributes:
        name, summary: see :class:`trainers.recipe.Recipe`.
        options_type: reads the settings.
    """

    name: str
    summary: str
    options_type: type[Options]

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = self.options_type.parse(settings)
        if data is None:
            raise InputError(
                f"the {self.name} recipe needs --data: a set of normal clips, say of `tocsin dataset synthesize`"
            )
        spec = self.spec(options)
        clips = select_clips(load_clips(data, options.layout), options.machine, options.unit, options.snr)
        split = self.split(clips, options, seed)
        evaluation = read_evaluation_clips(split, spec, options.channel, seed)
        with repeatable(seed):
            score, losses = self.fit(split, options)
        trained = TrainedDetector(
            name=self.name,
            model=TorchModel(score, has_bands=spec.transform == "log_mel", transform=spec.transform),
            spec=spec,
            split=split,
            evaluation=evaluation,
            losses=losses,
            options=options.report(),
            synthetic=is_synthetic(data),
            trained_on=self.trained_on(options, split),
            example_of=self.example_maker(score, options),
        )
        return finalise(trained, seed)

    def fit(self, split: ClipSplit, options: Options) -> tuple[Score, dict[str, list[float]]]:
        """The score with its network trained, in evaluation mode, and the losses; torch's generator must be seeded."""
        score = self.build(options)
        net = score.net
        if options.weights:
            self.load_weights(score, Path(options.weights))
        if not options.trains:
            return score.eval(), {}
        train, validation = (self.network_input(score, clips, options) for clips in (split.train, split.validation))
        net.start_at(train)
        losses = fit_epochs(net, net.loss, train, validation, options.schedule, "training")
        return score.eval(), losses

    def split(self, clips: Sequence[Clip], options: Options, seed: int) -> ClipSplit:  # noqa: ARG002
        """Training, validation, sweep and test clips."""
        return split_clips(clips, seed)

    @abstractmethod
    def spec(self, options: Options) -> FeatureSpec:
        """The features a worker computes."""

    @abstractmethod
    def build(self, options: Options) -> Score:
        """Score and network, with random weights."""

    @abstractmethod
    def load_weights(self, score: Score, path: Path) -> None:
        """Copies published weights into the network.

        Raises:
            UnreadableInput: they cannot be read, or are of another network.
        """

    @abstractmethod
    def network_input(self, score: Score, clips: Sequence[Clip], options: Options) -> torch.Tensor:
        """The network's input of all clips, (n, ...).

        Raises:
            InputError: a clip cannot be used.
        """

    @abstractmethod
    def trained_on(self, options: Options, split: ClipSplit) -> str:
        """What the model was trained on, for people."""

    @abstractmethod
    def example_maker(self, score: Score, options: Options) -> MakeExample:
        """Makes an example of a title, a score and a window float32 (n_frames, width)."""


def finalise(trained: TrainedDetector, seed: int) -> Trained:
    """Ensures the score's direction, sweeps the threshold, and measures on clips reserved for it.

    Where the set has no abnormal clip, generated anomalies replace them, and the report says so.

    Raises:
        ScoreInverted: generated anomalies score below normal sound.
    """
    spec, split = trained.spec, trained.split
    sweep, test = trained.evaluation.sweep, trained.evaluation.test
    normal_clips = [one for one in sweep if not one.is_abnormal]
    model, direction = ensure_score_direction(trained.model, spec, [one.samples for one in normal_clips], seed)
    threshold, table = sweep_threshold(*by_label(sweep, window_scores(model, sweep)))
    scores = window_scores(model, test)
    sweep_normal = np.concatenate(window_scores(model, normal_clips))
    test_normal, test_abnormal = by_label(test, scores)
    return Trained(
        name=trained.name,
        detector="machine",
        model=model,
        spec=spec,
        calibration=Calibration(
            transfer="relative",
            threshold=round(threshold, 4),
            spread=round(max(float(sweep_normal.std()), 1e-3), 4),
            n=len(sweep_normal),
            quantiles=quantiles_of(sweep_normal),
        ),
        metrics={name: round(value, 4) for name, value in clip_metrics(test, scores, threshold).items()},
        report={
            "options": trained.options,
            "synthetic": trained.synthetic,
            "clips": {part: len(getattr(split, part)) for part in ("train", "validation", "sweep", "test")},
            "generated_anomalies": any("generated" in one.clip.details for one in test),
            "machines": metrics_by_machine(test, scores),
            "threshold_sweep": [{name: round(value, 4) for name, value in row.items()} for row in table],
        },
        trained_on=trained.trained_on + (" of a synthetic set" if trained.synthetic else ""),
        training_digest=training_digest(digest_of(split.train), seed),
        golden=golden_windows(spec, seed),
        scores={"normal": test_normal, "abnormal": test_abnormal},
        threshold=threshold,
        losses=trained.losses,
        examples=best_and_worst(_windows_by_label(test, scores), trained.example_of),
        direction=direction,
    )


def normal_clips_of(split: ClipSplit) -> str:
    """How many normal clips of which machines are trained on, for people."""
    machines = sorted({clip.machine for clip in split.train if clip.machine})
    return f"{len(split.train)} normal clips" + (f" of {', '.join(machines)}" if machines else "")


def _windows_by_label(
    clips: Sequence[WindowedClip], scores: Sequence[Float64]
) -> dict[str, list[tuple[Float32, Float64]]]:
    pairs = list(zip(clips, scores, strict=True))
    return {
        label: [(one.windows, values) for one, values in pairs if one.clip.label == label]
        for label in ("normal", "abnormal")
    }
