"""The scream recipe: a small classifier on windows of one second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from trainers.recipes.scream.batches import AugmentedRecording, augmentations, augmented_recordings
from trainers.recipes.scream.data import (
    POSITIVE,
    LabelledRecording,
    folds_of,
    frames_of,
    labelled_recording,
    synthetic_recordings,
)
from trainers.recipes.scream.figures import best_and_worst_recordings
from trainers.recipes.scream.options import ScreamOptions, spec_of
from trainers.recipes.scream.quality import (
    FoldThresholds,
    ScoredRecording,
    by_fold,
    by_kind,
    clip_threshold,
    fold_thresholds,
    quality,
    recall_of,
    score_mixed,
    score_recordings,
    window_scores,
)
from trainers.recipes.scream.training import train_network, train_resumable

QUIET_DB = -20.0
MIXED_DB = (0.0, -5.0)

# Synthetic test sound has another seed than synthetic training sound.
_TEST_SEED_OFFSET = 1_000_003
_SCREAM_SET = "scream/"
# Loud screams clip and old recordings have 8 kHz: only what is worse is refused.
_MIN_SAMPLE_RATE, _MAX_SHARE_AT_FULL_SCALE = 8_000, 0.5
_SEARCH_STEP_DIVISOR = 3


@dataclass(slots=True)
class _CrossValidation:
    """Every real recording, scored by a network that was not trained on its source."""

    loud: list[ScoredRecording] = field(default_factory=list)
    quiet: list[ScoredRecording] = field(default_factory=list)
    mixed: dict[float, list[ScoredRecording]] = field(default_factory=lambda: {snr: [] for snr in MIXED_DB})


class ScreamRecipe:
    """See :class:`trainers.recipe.Recipe`. Needs recordings: a folder ``positive`` of screams, others without.

    An Audacity label file beside a recording, ``clip.txt`` beside ``clip.wav``, says where screams are; without one,
    energy decides.
    """

    name = "scream"
    summary = "screams in rooms: a small CNN on windows of one second; needs recordings"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = ScreamOptions.parse(settings)
        if data is None:
            raise InputError("the scream recipe needs --data: a folder with screams in positive/, others beside it")
        spec = spec_of(options)
        files = read_folder(data, options.folders.split(","), spec.sample_rate)
        recordings = [_labelled(data, one, options) for one in files]
        _check_sources(recordings, data, options.folds)
        digest = training_digest((one.digest for one in files), seed)
        synthetic = synthetic_recordings(seed, options.synthetic, spec.sample_rate)
        augmented = augmented_recordings([*recordings, *synthetic], spec, augmentations(options.augment))
        folds = folds_of(recordings, options.folds, seed)
        options, tries = _search(recordings, folds, augmented, spec, seed, options)
        measured = _cross_validate(recordings, folds, augmented, spec, seed, options, digest)
        thresholds = fold_thresholds(measured.loud)
        net = train_resumable(augmented, spec, seed, options, "training", digest)
        held_out = synthetic_recordings(seed + _TEST_SEED_OFFSET, max(options.synthetic // 3, 10), spec.sample_rate)
        synthetic_scores = score_recordings(net, held_out, spec)
        threshold = clip_threshold(measured.loud)
        synthetic_thresholds = FoldThresholds({0: threshold}, {0: threshold})
        negatives = window_scores(measured.loud, 0)
        scream_set = _scream_set(measured.loud)
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
            metrics=_metrics(measured, thresholds, synthetic_scores, synthetic_thresholds),
            report={
                "options": options.model_dump(),
                "search": tries,
                "recordings": len(recordings),
                "sources": len({one.source for one in recordings}),
                "thresholds": {"clip": dict(thresholds.clip), "window": dict(thresholds.window)},
                "folds": by_fold(measured.loud, thresholds),
                "folds_quiet": by_fold(measured.quiet, thresholds),
                "folds_scream_set": by_fold(scream_set, thresholds),
                "folds_scream_set_alone": by_fold(scream_set, fold_thresholds(scream_set)),
                "kinds": by_kind(measured.loud, thresholds),
                "kinds_quiet": by_kind(measured.quiet, thresholds),
                "synthetic_held_out": by_kind(synthetic_scores, synthetic_thresholds),
            },
            trained_on=_trained_on(recordings, options.synthetic),
            training_digest=digest,
            golden=_golden(seed, spec),
            scores={"normal": negatives, "scream": window_scores(measured.loud, 1)},
            examples=best_and_worst_recordings(measured.loud, spec),
        )


def _labelled(data: Path, recording: Recording, options: ScreamOptions) -> LabelledRecording:
    path = data / recording.name
    if not recording.samples.any():
        raise UnusableAudio(f"{path} is silent: all of its samples are 0; remove it or record it again")
    if recording.full_scale > _MAX_SHARE_AT_FULL_SCALE:
        raise UnusableAudio(
            f"{path} is clipped: {recording.full_scale:.0%} of its samples are at full scale; record it at a lower gain"
            " or remove it"
        )
    if recording.file_rate < _MIN_SAMPLE_RATE:
        raise UnusableAudio(
            f"{path} has {recording.file_rate} Hz: {_MIN_SAMPLE_RATE} Hz at least are needed for screams; remove it"
        )
    labels = labels_beside(data / recording.name)
    stem = Path(recording.name).stem
    unsure = labels is None and any(stem.startswith(one) for one in options.unsure.split(",") if one)
    return labelled_recording(recording, labels, unsure=unsure)


def _check_sources(recordings: Sequence[LabelledRecording], data: Path, folds: int) -> None:
    for is_scream, where in ((True, f"in a folder {POSITIVE!r}"), (False, f"outside of {POSITIVE!r}")):
        sources = len({one.source for one in recordings if one.is_scream == is_scream})
        if sources < folds:
            raise InputError(
                f"{data} has recordings of {sources} sources {where}; {folds} are needed for {folds} folds"
            )


def _cross_validate(
    recordings: Sequence[LabelledRecording],
    folds: npt.NDArray[np.int64],
    augmented: Sequence[AugmentedRecording],
    spec: FeatureSpec,
    seed: int,
    options: ScreamOptions,
    digest: str,
) -> _CrossValidation:
    """Scores recordings as they are, 20 dB quieter, and screams mixed over rooms."""
    measured = _CrossValidation()
    for fold in range(options.folds):
        training, test = _fold_split(recordings, folds, augmented, fold)
        net = train_resumable(training, spec, seed + fold, options, f"fold {fold + 1} of {options.folds}", digest)
        measured.loud += score_recordings(net, test, spec, fold)
        measured.quiet += score_recordings(net, test, spec, fold, QUIET_DB)
        for snr_db, scored in measured.mixed.items():
            scored += score_mixed(net, test, spec, fold, snr_db)
    return measured


def _fold_split(
    recordings: Sequence[LabelledRecording],
    folds: npt.NDArray[np.int64],
    augmented: Sequence[AugmentedRecording],
    fold: int,
) -> tuple[list[AugmentedRecording], list[LabelledRecording]]:
    """Training and test recordings of a fold; synthetic recordings are in no fold, and always trained on."""
    fold_of = {id(one): int(its_fold) for one, its_fold in zip(recordings, folds, strict=True)}
    training = [one for one in augmented if fold_of.get(id(one.recording)) != fold]
    return training, [one for one in recordings if fold_of[id(one)] == fold]


def _search(
    recordings: Sequence[LabelledRecording],
    folds: npt.NDArray[np.int64],
    augmented: Sequence[AugmentedRecording],
    spec: FeatureSpec,
    seed: int,
    options: ScreamOptions,
) -> tuple[ScreamOptions, list[dict[str, float]]]:
    """Random search (Bergstra and Bengio, JMLR 13, 2012): the options of the highest window AUC on the first fold.

    A third of the steps is enough to compare them. The first fold's figures are then a little too good; the others' are
    not.
    """
    if options.search <= 1:
        return options, []
    rng = np.random.default_rng(seed)
    training, test = _fold_split(recordings, folds, augmented, 0)
    best, best_options, tries = -np.inf, options, []
    for number in range(options.search):
        drawn = {
            "rate": float(10.0 ** rng.uniform(-3.5, -1.7)),
            "dropout": float(rng.uniform(0.1, 0.6)),
            "beta1": float(rng.uniform(0.85, 0.95)),
            "l2": float(10.0 ** rng.uniform(-7.0, -2.0)),
        }
        candidate = options.model_copy(update=drawn)
        short = {"steps": max(options.steps // _SEARCH_STEP_DIVISOR, 10), "cycles": 1}
        net = train_network(
            training, spec, seed, candidate.model_copy(update=short), f"try {number + 1} of {options.search}"
        )
        frame_auc = _window_auc(net, test, spec)
        tries.append({**drawn, "frame_auc": frame_auc})
        if frame_auc > best:
            best, best_options = frame_auc, candidate
    return best_options, tries


def _window_auc(net: nn.Module, recordings: Sequence[LabelledRecording], spec: FeatureSpec) -> float:
    scored = score_recordings(net, recordings, spec)
    return auc(window_scores(scored, 0), window_scores(scored, 1))


def _upper_spread(scores: npt.NDArray[np.float64]) -> float:
    """Standard deviation of the highest quarter, > 0: the spread of the scores nearest to a threshold."""
    upper = scores[scores >= np.quantile(scores, 0.75)]
    return max(float(upper.std()), 1e-3)


def _scream_set(scored: Sequence[ScoredRecording]) -> list[ScoredRecording]:
    """Screams, speech, laughter and streets, without the hard negatives; all, where folders are named otherwise."""
    return [one for one in scored if one.recording.name.startswith(_SCREAM_SET)] or list(scored)


def _metrics(
    measured: _CrossValidation,
    thresholds: FoldThresholds,
    synthetic: Sequence[ScoredRecording],
    synthetic_thresholds: FoldThresholds,
) -> dict[str, float]:
    figures = {f"cv_{name}": value for name, value in quality(measured.loud, thresholds).items()}
    figures |= {f"cv_quiet_{name}": value for name, value in quality(measured.quiet, thresholds).items()}
    figures |= {
        f"cv_scream_set_{name}": value for name, value in quality(_scream_set(measured.loud), thresholds).items()
    }
    figures |= {
        f"cv_quiet_scream_set_{name}": value for name, value in quality(_scream_set(measured.quiet), thresholds).items()
    }
    # The same with thresholds, too, chosen without hard negatives.
    alone = fold_thresholds(_scream_set(measured.loud))
    for state, scored in (("", measured.loud), ("quiet_", measured.quiet)):
        alone_figures = quality(_scream_set(scored), alone)
        figures |= {f"cv_{state}scream_set_alone_{name}": value for name, value in alone_figures.items()}
    for snr_db, scored in measured.mixed.items():
        if scored:
            figures[f"cv_mixed_{snr_db:g}_db_clip_recall"] = recall_of(scored, thresholds)
    figures |= {f"synthetic_{name}": value for name, value in quality(synthetic, synthetic_thresholds).items()}
    return {name: round(value, 4) for name, value in figures.items()}


def _trained_on(recordings: Sequence[LabelledRecording], synthetic: int) -> str:
    kinds: dict[str, int] = {}
    for one in recordings:
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(recordings)} recordings ({listed}) and {synthetic} synthetic screams with harmless synthetic sounds"


def _golden(seed: int, spec: FeatureSpec) -> Float32:
    """Windows of synthetic sound: a model file must contain no recording."""
    recordings = synthetic_recordings(seed, 4, spec.sample_rate)
    windows = np.concatenate([windows_of(frames_of(one, spec), spec) for one in recordings])
    return np.ascontiguousarray(windows[np.linspace(0, len(windows) - 1, GOLDEN_WINDOWS).astype(np.int64)])
