"""The scream recipe: a small classifier on windows of one second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from processors.core.audio.recording import windows_of
from schemas.errors import InputError, UnusableAudio
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.data.audacity import labels_beside
from trainers.data.recordings import Recording, read_folder
from trainers.evaluation.metrics import auc, quantiles_of
from trainers.export.onnx_export import GOLDEN_WINDOWS
from trainers.export.provenance import training_digest
from trainers.export.torch_model import TorchModel
from trainers.recipe import Float32, Trained
from trainers.recipes.scream.batches import HeardTake, augmentations, listen
from trainers.recipes.scream.data import POSITIVE, Take, folds_of, frames_of, synthetic_takes, take_of
from trainers.recipes.scream.examples import examples_of
from trainers.recipes.scream.options import ScreamOptions, options_of, spec_of
from trainers.recipes.scream.quality import (
    Limits,
    ScoredTake,
    by_fold,
    by_kind,
    clip_threshold,
    limits_of,
    quality,
    recall_of,
    score_mixed,
    score_takes,
    window_scores,
)
from trainers.recipes.scream.training import kept, trained

QUIET_DB = -20.0
MIXED_DB = (0.0, -5.0)

# Synthetic sound to measure with is of another seed than that to learn from.
_OTHER_SEED = 1_000_003
_SCREAM_SET = "scream/"
# Loud screams clip and old recordings have 8 kHz: only what is worse is refused.
_LEAST_RATE, _MOST_AT_FULL_SCALE = 8_000, 0.5
_SHARE_OF_STEPS = 3
_SEARCHED = ("rate", "dropout", "beta1", "l2")


@dataclass(slots=True)
class _Measured:
    """Every real take, scored by a network that has not met its source."""

    loud: list[ScoredTake] = field(default_factory=list)
    quiet: list[ScoredTake] = field(default_factory=list)
    mixed: dict[float, list[ScoredTake]] = field(default_factory=lambda: {snr: [] for snr in MIXED_DB})


class ScreamRecipe:
    """See :class:`trainers.recipe.Recipe`. Needs recordings: a folder ``positive`` of screams, others without.

    An Audacity label file beside a recording, ``clip.txt`` beside ``clip.wav``, says where screams are; without one,
    energy does.
    """

    name = "scream"
    summary = "screams in rooms: a small CNN on windows of one second; needs recordings"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = options_of(settings)
        if data is None:
            raise InputError("the scream recipe needs --data: a folder with screams in positive/, others beside it")
        spec = spec_of(options)
        recordings = read_folder(data, options.folders.split(","), spec.sample_rate)
        takes = [_take(data, one, options) for one in recordings]
        _check(takes, data, options.folds)
        digest = training_digest((one.digest for one in recordings), seed)
        synthetic = synthetic_takes(seed, options.synthetic, spec.sample_rate)
        heard = listen([*takes, *synthetic], spec, augmentations(options.augment))
        folds = folds_of(takes, options.folds, seed)
        options, tries = _searched(takes, folds, heard, spec, seed, options)
        measured = _cross_validated(takes, folds, heard, spec, seed, options, digest)
        limits = limits_of(measured.loud)
        net = kept(heard, spec, seed, options, "training", digest)
        held_out = synthetic_takes(seed + _OTHER_SEED, max(options.synthetic // 3, 10), spec.sample_rate)
        made = score_takes(net, held_out, spec)
        threshold = clip_threshold(measured.loud)
        made_limits = Limits({0: threshold}, {0: threshold})
        negatives = window_scores(measured.loud, 0)
        return Trained(
            name=self.name,
            detector=self.name,
            model=TorchModel(net),
            spec=spec,
            calibration=Calibration(
                transfer="absolute",
                threshold=round(threshold, 4),
                spread=round(_upper_spread(negatives), 4),
                n=len(negatives),
                quantiles=quantiles_of(negatives),
            ),
            metrics=_metrics(measured, limits, made, made_limits),
            report={
                "options": asdict(options),
                "search": tries,
                "recordings": len(takes),
                "sources": len({take.source for take in takes}),
                "thresholds": {"clip": dict(limits.clip), "window": dict(limits.window)},
                "folds": by_fold(measured.loud, limits),
                "folds_quiet": by_fold(measured.quiet, limits),
                "folds_scream_set": by_fold(_scream_set(measured.loud), limits),
                "folds_scream_set_alone": by_fold(_scream_set(measured.loud), limits_of(_scream_set(measured.loud))),
                "kinds": by_kind(measured.loud, limits),
                "kinds_quiet": by_kind(measured.quiet, limits),
                "synthetic_held_out": by_kind(made, made_limits),
            },
            trained_on=_words(takes, options.synthetic),
            training_digest=digest,
            golden=_golden(seed, spec),
            scores={"normal": negatives, "scream": window_scores(measured.loud, 1)},
            examples=examples_of(measured.loud, spec),
        )


def _take(data: Path, recording: Recording, options: ScreamOptions) -> Take:
    path = data / recording.name
    if not recording.samples.any():
        raise UnusableAudio(f"{path} is silent: all of its samples are 0; remove it or record it anew")
    if recording.full_scale > _MOST_AT_FULL_SCALE:
        raise UnusableAudio(
            f"{path} is clipped: {recording.full_scale:.0%} of its samples lie at full scale; record it at a lower gain"
            " or remove it"
        )
    if recording.file_rate < _LEAST_RATE:
        raise UnusableAudio(
            f"{path} has {recording.file_rate} Hz: {_LEAST_RATE} Hz at least are needed to hear a scream; remove it"
        )
    labels = labels_beside(data / recording.name)
    stem = Path(recording.name).stem
    unsure = labels is None and any(stem.startswith(one) for one in options.unsure.split(",") if one)
    return take_of(recording, labels, unsure=unsure)


def _check(takes: Sequence[Take], data: Path, folds: int) -> None:
    for wanted, what in ((True, f"in a folder {POSITIVE!r}"), (False, f"outside of {POSITIVE!r}")):
        sources = len({take.source for take in takes if take.is_scream == wanted})
        if sources < max(folds, 2):
            raise InputError(
                f"{data} holds recordings of {sources} sources {what}; {max(folds, 2)} are needed for {folds} folds"
            )


def _cross_validated(
    takes: Sequence[Take],
    folds: npt.NDArray[np.int64],
    heard: Sequence[HeardTake],
    spec: FeatureSpec,
    seed: int,
    options: ScreamOptions,
    digest: str,
) -> _Measured:
    """As they are, 20 dB quieter, and screams in rooms."""
    measured = _Measured()
    for fold in range(options.folds):
        learned, tested = _parted(takes, folds, heard, fold)
        net = kept(learned, spec, seed + fold, options, f"fold {fold + 1} of {options.folds}", digest)
        measured.loud += score_takes(net, tested, spec, fold)
        measured.quiet += score_takes(net, tested, spec, fold, QUIET_DB)
        for snr_db, scored in measured.mixed.items():
            scored += score_mixed(net, tested, spec, fold, snr_db)
    return measured


def _parted(
    takes: Sequence[Take], folds: npt.NDArray[np.int64], heard: Sequence[HeardTake], fold: int
) -> tuple[list[HeardTake], list[Take]]:
    """What is learned from and what is tested; synthetic takes stand in no fold, they are learned from only."""
    fold_of = {id(take): int(one) for take, one in zip(takes, folds, strict=True)}
    learned = [one for one in heard if fold_of.get(id(one.take)) != fold]
    return learned, [take for take in takes if fold_of[id(take)] == fold]


def _searched(
    takes: Sequence[Take],
    folds: npt.NDArray[np.int64],
    heard: Sequence[HeardTake],
    spec: FeatureSpec,
    seed: int,
    options: ScreamOptions,
) -> tuple[ScreamOptions, list[dict[str, float]]]:
    """Random search (Bergstra and Bengio, JMLR 13, 2012): the set that tells windows best on the first fold.

    A third of the steps tells sets apart. The first fold's figures are then a little too good; the others' are not.
    """
    if options.search <= 1:
        return options, []
    rng = np.random.default_rng(seed)
    learned, tested = _parted(takes, folds, heard, 0)
    best, best_options, tries = -np.inf, options, []
    for number in range(options.search):
        chosen = replace(
            options,
            rate=float(10.0 ** rng.uniform(-3.5, -1.7)),
            dropout=float(rng.uniform(0.1, 0.6)),
            beta1=float(rng.uniform(0.85, 0.95)),
            l2=float(10.0 ** rng.uniform(-7.0, -2.0)),
        )
        short = replace(chosen, steps=max(options.steps // _SHARE_OF_STEPS, 10), cycles=1)
        net = trained(learned, spec, seed, short, f"try {number + 1} of {options.search}")
        found = _told_apart(net, tested, spec)
        drawn = {name: float(getattr(chosen, name)) for name in _SEARCHED}
        tries.append({**drawn, "frame_auc": found})
        if found > best:
            best, best_options = found, chosen
    return best_options, tries


def _told_apart(net: nn.Module, takes: Sequence[Take], spec: FeatureSpec) -> float:
    scored = score_takes(net, takes, spec)
    return auc(window_scores(scored, 0), window_scores(scored, 1))


def _upper_spread(scores: npt.NDArray[np.float64]) -> float:
    """Standard deviation of the highest quarter, > 0: how far apart the scores lie that a threshold must clear."""
    upper = scores[scores >= np.quantile(scores, 0.75)]
    return max(float(upper.std()), 1e-3)


def _scream_set(scored: Sequence[ScoredTake]) -> list[ScoredTake]:
    """Screams, speech, laughter and streets, without the hard negatives; all, where folders are named otherwise."""
    return [one for one in scored if one.take.name.startswith(_SCREAM_SET)] or list(scored)


def _metrics(measured: _Measured, limits: Limits, made: Sequence[ScoredTake], made_limits: Limits) -> dict[str, float]:
    figures = {f"cv_{name}": value for name, value in quality(measured.loud, limits).items()}
    figures |= {f"cv_quiet_{name}": value for name, value in quality(measured.quiet, limits).items()}
    figures |= {f"cv_scream_set_{name}": value for name, value in quality(_scream_set(measured.loud), limits).items()}
    figures |= {
        f"cv_quiet_scream_set_{name}": value for name, value in quality(_scream_set(measured.quiet), limits).items()
    }
    # The same where thresholds, too, are chosen as if there were no hard negatives.
    alone = limits_of(_scream_set(measured.loud))
    for state, scored in (("", measured.loud), ("quiet_", measured.quiet)):
        found = quality(_scream_set(scored), alone)
        figures |= {f"cv_{state}scream_set_alone_{name}": value for name, value in found.items()}
    for snr_db, scored in measured.mixed.items():
        if scored:
            figures[f"cv_mixed_{snr_db:g}_db_clip_recall"] = recall_of(scored, limits)
    figures |= {f"synthetic_{name}": value for name, value in quality(made, made_limits).items()}
    return {name: round(value, 4) for name, value in figures.items()}


def _words(takes: Sequence[Take], synthetic: int) -> str:
    kinds: dict[str, int] = {}
    for take in takes:
        kinds[take.kind] = kinds.get(take.kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(takes)} recordings ({listed}) and {synthetic} synthetic screams with harmless synthetic sounds"


def _golden(seed: int, spec: FeatureSpec) -> Float32:
    """Windows of synthetic sound: a model file must hold no recording."""
    made = synthetic_takes(seed, 4, spec.sample_rate)
    windows = np.concatenate([windows_of(frames_of(take, spec), spec) for take in made])
    return np.ascontiguousarray(windows[np.linspace(0, len(windows) - 1, GOLDEN_WINDOWS).astype(np.int64)])
