"""The scream recipe: a small classifier on windows of one second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from processors.core.recording import windows_of
from schemas.errors import InputError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.evaluate import quantiles_of, threshold_for
from trainers.export import GOLDEN_WINDOWS
from trainers.fitting import fit, repeatable
from trainers.provenance import training_digest
from trainers.recipe import Float32, Trained, with_settings
from trainers.recordings import read_folder
from trainers.scream_batches import HeardTake, ScreamBatches, listen
from trainers.scream_net import ScreamNet
from trainers.scream_quality import ScoredTake, by_fold, by_kind, clip_levels, quality, score_takes, window_scores
from trainers.scream_sound import POSITIVE, Take, folds_of, frames_of, synthetic_takes, take_of
from trainers.torch_model import TorchModel

SPEC = FeatureSpec(n_frames=48, window_hop=12)
FALSE_SHARE = 0.03
RECALL = 0.95
QUIET_DB = -20.0

_SMOOTHING = 0.01
# Synthetic sound to measure with is of another seed than that to learn from.
_OTHER_SEED = 1_000_003


@dataclass(frozen=True, slots=True)
class ScreamOptions:
    """What may be set.

    Attributes:
        folders: below the data folder, separated by commas.
        folds: of the cross-validation, at least 2.
        steps, batch, rate: of each training run.
        synthetic: synthetic screams to learn from; harmless sounds come with them.
        width: channels of the first layer.
    """

    folders: str = "scream,ambience,sounds"
    folds: int = 5
    steps: int = 1_800
    batch: int = 64
    rate: float = 0.004
    synthetic: int = 150
    width: int = 24


class ScreamRecipe:
    """See :class:`trainers.recipe.Recipe`. Needs recordings: a folder ``positive`` of screams, others without."""

    name = "scream"
    summary = "screams in rooms: a small CNN on windows of one second; needs recordings"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(ScreamOptions(), settings)
        if data is None:
            raise InputError("the scream recipe needs --data: a folder with screams in positive/, others beside it")
        recordings = read_folder(data, options.folders.split(","), SPEC.sample_rate)
        takes = [take_of(one) for one in recordings]
        _check(takes, data, options.folds)
        heard = listen([*takes, *synthetic_takes(seed, options.synthetic)], SPEC)
        loud, quiet = _cross_validated(takes, heard, seed, options)
        threshold = threshold_for(clip_levels(loud, scream=True), clip_levels(loud, scream=False), FALSE_SHARE, RECALL)
        with repeatable(seed):
            net = _trained(heard, seed, options, "training")
        made = score_takes(net, synthetic_takes(seed + _OTHER_SEED, max(options.synthetic // 3, 10)), SPEC)
        negatives = window_scores(loud, 0)
        return Trained(
            name=self.name,
            detector=self.name,
            model=TorchModel(net),
            spec=SPEC,
            calibration=Calibration(
                transfer="absolute",
                threshold=round(threshold, 4),
                spread=round(_upper_spread(negatives), 4),
                n=len(negatives),
                quantiles=quantiles_of(negatives),
            ),
            metrics=_metrics(loud, quiet, made, threshold),
            report={
                "options": asdict(options),
                "recordings": len(takes),
                "sources": len({take.source for take in takes}),
                "folds": by_fold(loud, threshold),
                "folds_quiet": by_fold(quiet, threshold),
                "kinds": by_kind(loud, threshold),
                "kinds_quiet": by_kind(quiet, threshold),
                "synthetic_held_out": by_kind(made, threshold),
            },
            trained_on=_words(takes, options.synthetic),
            training_digest=training_digest((one.digest for one in recordings), seed),
            golden=_golden(seed),
            scores={"normal": negatives, "scream": window_scores(loud, 1)},
        )


def _check(takes: Sequence[Take], data: Path, folds: int) -> None:
    for wanted, what in ((True, f"in a folder {POSITIVE!r}"), (False, f"outside of {POSITIVE!r}")):
        sources = len({take.source for take in takes if take.is_scream == wanted})
        if sources < max(folds, 2):
            raise InputError(
                f"{data} holds recordings of {sources} sources {what}; {max(folds, 2)} are needed for {folds} folds"
            )


def _trained(heard: Sequence[HeardTake], seed: int, options: ScreamOptions, label: str) -> ScreamNet:
    # Depthwise convolutions train twice as fast with channels last.
    net = ScreamNet(options.width).to(memory_format=torch.channels_last)
    batches = ScreamBatches(heard, SPEC, seed, options.batch)

    def loss() -> torch.Tensor:
        windows, labels = batches.draw()
        return binary_cross_entropy_with_logits(net(windows), labels * (1.0 - 2.0 * _SMOOTHING) + _SMOOTHING)

    fit(net, loss, options.steps, options.rate, label)
    return net.to(memory_format=torch.contiguous_format)


def _cross_validated(
    takes: Sequence[Take], heard: Sequence[HeardTake], seed: int, options: ScreamOptions
) -> tuple[list[ScoredTake], list[ScoredTake]]:
    """Every real take scored by a model that has not met its source: as it is, and 20 dB quieter."""
    folds = folds_of(takes, options.folds, seed)
    fold_of = {id(take): int(fold) for take, fold in zip(takes, folds, strict=True)}
    loud: list[ScoredTake] = []
    quiet: list[ScoredTake] = []
    for fold in range(options.folds):
        # Synthetic takes stand in no fold: they are learned from, never measured on here.
        learned = [one for one in heard if fold_of.get(id(one.take)) != fold]
        tested = [take for take in takes if fold_of[id(take)] == fold]
        with repeatable(seed + fold):
            net = _trained(learned, seed + fold, options, f"fold {fold + 1} of {options.folds}")
            loud += score_takes(net, tested, SPEC, fold)
            quiet += score_takes(net, tested, SPEC, fold, QUIET_DB)
    return loud, quiet


def _upper_spread(scores: npt.NDArray[np.float64]) -> float:
    """Standard deviation of the highest quarter, > 0: how far apart the scores lie that a threshold must clear."""
    upper = scores[scores >= np.quantile(scores, 0.75)]
    return max(float(upper.std()), 1e-3)


def _metrics(
    loud: Sequence[ScoredTake], quiet: Sequence[ScoredTake], made: Sequence[ScoredTake], threshold: float
) -> dict[str, float]:
    figures = {f"cv_{name}": value for name, value in quality(loud, threshold).items()}
    figures |= {f"cv_quiet_{name}": value for name, value in quality(quiet, threshold).items()}
    figures |= {f"synthetic_{name}": value for name, value in quality(made, threshold).items()}
    return {name: round(value, 4) for name, value in figures.items()}


def _words(takes: Sequence[Take], synthetic: int) -> str:
    kinds: dict[str, int] = {}
    for take in takes:
        kinds[take.kind] = kinds.get(take.kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(takes)} recordings ({listed}) and {synthetic} synthetic screams with harmless synthetic sounds"


def _golden(seed: int) -> Float32:
    """Windows of synthetic sound: a model file must hold no recording."""
    made = synthetic_takes(seed, 4)
    windows = np.concatenate([windows_of(frames_of(take, SPEC), SPEC) for take in made])
    return np.ascontiguousarray(windows[np.linspace(0, len(windows) - 1, GOLDEN_WINDOWS).astype(np.int64)])
