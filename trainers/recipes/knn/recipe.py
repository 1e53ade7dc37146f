"""The knn recipe: a device's first model, from minutes of its own sound, by nearest neighbours in closed form."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import TooLittleSound, UnreadableInput, UnusableAudio, WrongLayout
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from synthesis.draws import seed_of
from trainers.data.loaders.clip import check_samples, header_of
from trainers.data.loaders.folders import LABELS
from trainers.data.loaders.layout import load_clips
from trainers.data.recordings import Recording, read_folder
from trainers.evaluation.direction import ensure_score_direction, generated_anomalies
from trainers.evaluation.examples import best_and_worst
from trainers.evaluation.metrics import auc, quantiles_of
from trainers.example import Example
from trainers.export.onnx_export import GOLDEN_WINDOWS
from trainers.export.provenance import training_digest
from trainers.recipe import Float32, Trained
from trainers.recipes.knn.data import AudioWindows, ContinuousAudio, excerpts, mono_of, windows_in
from trainers.recipes.knn.model import KnnModel, summarise
from trainers.recipes.knn.neighbours import Float64, NearestNeighbours, fit, held_out_scores
from trainers.recipes.knn.options import KnnOptions, spec_of

MIN_WINDOWS = 12
"""Window lengths of sound needed for training."""

# Minimum standard deviation of a band: rounding alone changes an empty band.
_FLOOR_DB = 0.1
# Steady sound changes by this much from one hour to the next; a threshold nearer than six of these would not hold.
_MIN_SPREAD_DB = 1.0
_SPREADS = 6.0
_EXCERPTS = 4


class KnnRecipe:
    """See :class:`trainers.recipe.Recipe`. Needs only the runtime's libraries, and trains in seconds."""

    name = "knn"
    summary = "one device: nearest neighbours in minutes of its own normal sound; other folders are for measuring"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = KnnOptions.parse(settings)
        spec = spec_of(options)
        if data is None:
            raise UnreadableInput("the knn recipe needs recordings: give their folder with --data")
        normal, others = _read_recordings(data, spec.sample_rate, options.normal)
        spans = [_span_of(one) for one in normal]
        trained_on = f"{len(normal)} recordings of {sum(span.seconds for span in spans) / 60.0:.1f} minutes"
        anomalous = {kind: [_span_of(one) for one in recordings] for kind, recordings in others.items()}
        return train_knn(spans, self.name, trained_on, seed, options, anomalous)


def _read_recordings(data: Path, sample_rate: int, name: str) -> tuple[list[Recording], dict[str, list[Recording]]]:
    """Normal recordings, and all others by kind.

    Raises:
        InputError: the folder cannot be used.
        UnusableAudio: normal sound is clipped or silent, or sample rates differ.
    """
    recordings = read_folder(data, (), sample_rate)
    kinds = _kinds(data, recordings, name)
    normal: list[Recording] = []
    others: dict[str, list[Recording]] = {}
    for one in recordings:
        kind = kinds.get(one.name)
        if kind == name:
            check_samples(one.samples, str(data / one.name))
            normal.append(one)
        elif kind is not None:
            others.setdefault(kind, []).append(one)
    rates = {one.name: header_of(data / one.name)[0] for one in (*normal, *itertools.chain(*others.values()))}
    counts = Counter(rates[one.name] for one in normal)
    for path, rate in rates.items():
        if rate != (usual_rate := max(counts, key=lambda hz: (counts[hz], hz))):
            raise UnusableAudio(
                f"{data / path} has {rate} Hz, the normal sound {usual_rate}: features of both would not compare;"
                " convert it or remove it"
            )
    return normal, others


def _kinds(data: Path, recordings: Sequence[Recording], normal: str) -> dict[str, str]:
    """The kind of each recording, by its name: ``normal`` or another; those of unknown kind are left out.

    Raises:
        WrongLayout: there are folders of normal or abnormal sound, but no normal recording.
    """
    folders = {one.name: one.name.split("/")[0] for one in recordings if "/" in one.name}
    if normal in folders.values():
        return {one.name: one.name.split("/")[0] for one in recordings}
    if (data / normal).is_dir():
        raise WrongLayout(f"{data / normal} has no recording: normal sound is needed for training")
    try:
        clips = load_clips(data)
    except WrongLayout:
        if {folder.lower() for folder in folders.values()} & LABELS.keys():
            raise
        return {one.name: normal for one in recordings}
    return {clip.name: normal if clip.label == "normal" else clip.label for clip in clips if clip.label != "unknown"}


def train_knn(
    spans: Sequence[ContinuousAudio],
    name: str,
    trained_on: str,
    seed: int,
    options: KnnOptions,
    anomalous: Mapping[str, Sequence[ContinuousAudio]] | None = None,
) -> Trained:
    """Trains a model of a device's normal sound.

    Scores are in dB above the device's typical one, and the threshold is calibrated on held-out sound (transfer
    ``own``), so they mean the same from the first window on: a fault that is present when a worker starts must not
    become the device's normal. For sound that drifts further, training again takes a minute.

    Args:
        spans: normal sound, in order of time.
        name: of the model.
        trained_on: which sound this is, for people.
        seed: of the generated faults that check the score.
        options: of the recipe.
        anomalous: other sound of the device to measure with, by kind.

    Raises:
        TooLittleSound: there is less than twelve windows' length of it.
        ScoreInverted: generated faults do not score higher than normal sound.
    """
    spec = spec_of(options)
    windows = windows_in(spans, spec)
    _check_length(spans, windows, spec)
    rows = summarise(windows.features)
    held_out = held_out_scores(rows, windows.start, spec.n_frames, _FLOOR_DB)
    typical = float(np.median(held_out))
    scorer = replace(fit(rows, windows.start, spec.n_frames, _FLOOR_DB), typical_db=typical)
    normal = held_out - typical
    spread = max(float(normal.std()), _MIN_SPREAD_DB)
    threshold = float(normal.mean()) + _SPREADS * spread
    samples = [mono_of(excerpt, spec.sample_rate) for excerpt in excerpts(spans, spec, _EXCERPTS)]
    model, direction = ensure_score_direction(KnnModel(scorer, spec), spec, samples, seed, two_sided=False)
    fault_windows = _with_faults(samples, seed, spec)
    faults = {kind: scorer.score(summarise(features)) for kind, features in fault_windows.items()}
    recorded = {kind: windows_in(others, spec) for kind, others in (anomalous or {}).items()}
    recorded = {kind: others for kind, others in recorded.items() if len(others.features)}
    recorded_scores = {kind: scorer.score(summarise(others.features)) for kind, others in recorded.items()}
    metrics = _fault_metrics(normal, faults, threshold) | _recording_metrics(
        windows.span, normal, recorded, recorded_scores
    )
    metrics["minutes"] = round(sum(span.seconds for span in spans) / 60.0, 2)
    return Trained(
        name=name,
        detector=options.detector,
        model=model,
        spec=spec,
        calibration=Calibration(
            transfer="own",
            threshold=round(threshold, 4),
            spread=round(spread, 4),
            n=len(normal),
            quantiles=quantiles_of(normal),
        ),
        metrics=metrics,
        report=_report(scorer, options),
        trained_on=trained_on,
        training_digest=training_digest((span.digest for span in spans), seed),
        golden=_golden(windows, samples, seed, spec),
        scores={"normal": normal, **faults, **{f"recorded: {kind}": one for kind, one in recorded_scores.items()}},
        examples=best_and_worst(
            {
                "normal": [(windows.features, normal)],
                "with a generated fault": [(fault_windows[kind], scores) for kind, scores in faults.items()],
                **{
                    f"recorded: {kind}": [(recorded[kind].features, scores)] for kind, scores in recorded_scores.items()
                },
            },
            lambda title, score, window: Example(
                title, score, window, columns="mel bands, means then deviations", seconds=spec.window_seconds
            ),
        ),
        direction=direction,
    )


def _check_length(spans: Sequence[ContinuousAudio], windows: AudioWindows, spec: FeatureSpec) -> None:
    available, needed = sum(span.seconds for span in spans), MIN_WINDOWS * spec.window_seconds
    usable = len(np.unique(windows.start[:, None] + np.arange(spec.n_frames))) / spec.n_frames
    if usable < MIN_WINDOWS - 1:
        raise TooLittleSound(
            f"{available:.0f} s of sound in {len(spans)} spans without gaps, of which whole windows of"
            f" {spec.window_seconds:.0f} s cover {usable * spec.window_seconds:.0f} s: at least {needed:.0f} s are"
            " needed; record for longer, with fewer gaps, or choose shorter windows"
        )


def _with_faults(samples: Sequence[Float32], seed: int, spec: FeatureSpec) -> dict[str, Float32]:
    """Windows of the device's sound with generated faults as loud as itself, by kind."""
    windows: dict[str, list[Float32]] = {}
    for number, excerpt in enumerate(samples):
        for kind, faulty in generated_anomalies(excerpt, spec.sample_rate, seed_of(seed, number)).items():
            windows.setdefault(kind, []).append(_windows(faulty, spec))
    return {kind: np.concatenate(parts) for kind, parts in windows.items()}


def _windows(samples: Float32, spec: FeatureSpec) -> Float32:
    return windows_of(rows_of(samples, spec.sample_rate, spec), spec)


def _fault_metrics(normal: Float64, faults: Mapping[str, Float64], threshold: float) -> dict[str, float]:
    all_faults = np.concatenate(list(faults.values()))
    metrics = {f"auc_{kind}_0_db": round(auc(normal, scores), 4) for kind, scores in faults.items()}
    metrics["auc_generated"] = round(auc(normal, all_faults), 4)
    metrics["found_generated"] = round(float(np.mean(all_faults > threshold)), 4)
    return metrics


def _recording_metrics(
    span: npt.NDArray[np.int64], normal: Float64, recorded: Mapping[str, AudioWindows], scores: Mapping[str, Float64]
) -> dict[str, float]:
    """AUC of recordings by kind, from means over a recording's windows; normal ones are held out."""
    clips = _means(span, normal)
    return {f"auc_{kind}": round(auc(clips, _means(one.span, scores[kind])), 4) for kind, one in recorded.items()}


def _means(span: npt.NDArray[np.int64], scores: Float64) -> list[float]:
    return [float(scores[span == index].mean()) for index in np.unique(span)]


def _golden(windows: AudioWindows, samples: Sequence[Float32], seed: int, spec: FeatureSpec) -> Float32:
    """The first windows, the last one with a fault."""
    faulty = next(iter(generated_anomalies(samples[0], spec.sample_rate, seed).values()))
    return np.concatenate([windows.features[: GOLDEN_WINDOWS - 1], _windows(faulty, spec)[:1]])


def _report(scorer: NearestNeighbours, options: KnnOptions) -> dict[str, Any]:
    return {"options": options.model_dump(), "references": len(scorer.references), "columns": len(scorer.centre)}


def _span_of(recording: Recording) -> ContinuousAudio:
    return ContinuousAudio(recording.samples, recording.sample_rate, recording.digest)
