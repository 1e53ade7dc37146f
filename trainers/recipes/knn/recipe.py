"""The quick recipe: a device's first model, from minutes of its own sound, in closed form."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import SettingsError, TooLittleSound, UnreadableInput, UnusableAudio, WrongLayout
from schemas.features import FeatureSpec
from schemas.identity import is_name
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
from trainers.recipe import Float32, Preset, Trained, with_settings
from trainers.recipes.knn.data import Run, Windows, excerpts, mono_of, windows_in
from trainers.recipes.knn.model import QuickModel, summaries
from trainers.recipes.knn.neighbours import ClosedForm, Float64, fit, held_out_scores

LEAST_WINDOWS = 12
"""Window lengths of sound that are needed to learn from."""

# A band that varies by less is taken to vary by this much: rounding alone moves an empty band.
_FLOOR_DB = 0.1
# Steady sound of one hour moves by this much in the next; a threshold nearer than six of them would not last.
_LEAST_SPREAD_DB = 1.0
_SPREADS = 6.0
_EXCERPTS = 4


PRESETS: dict[str, Preset] = {"small": {"window": 3, "mels": 64}}
"""``small``: for recordings of a few seconds, and half a minute of them."""


@dataclass(frozen=True, slots=True)
class QuickOptions:
    """What may be set.

    Attributes:
        window: seconds a score is about.
        mels: mel bands.
        normal: the folder below the data folder that holds normal sound, each other folder something else. Without it
            a set in a layout of :mod:`trainers.data.loaders` says itself what is normal, and of all else all is.
        detector: the role the model plays.
    """

    window: int = 10
    mels: int = 128
    normal: str = "normal"
    detector: str = "machine"


def spec_of(options: QuickOptions) -> FeatureSpec:
    """Rows of one second; a window every second.

    Frames of 128 ms tell the lines of a motor apart better than those of 64 ms do, and fewer of them are needed.
    """
    try:
        return FeatureSpec(
            n_fft=2_048,
            win_length=2_048,
            hop=800,
            pool=20,
            n_mels=options.mels,
            n_frames=options.window,
            window_hop=1,
        )
    except ValueError as error:
        raise SettingsError(f"window {options.window} and mels {options.mels} are no features: {error}") from None


class QuickRecipe:
    """See :class:`trainers.recipe.Recipe`. Needs no more than the runtime's libraries, and learns in seconds."""

    name = "quick"
    summary = "one device: a closed form of minutes of its own normal sound; other folders are measured against"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(QuickOptions(), settings, PRESETS)
        if not is_name(options.detector):
            raise SettingsError(f"detector {options.detector!r} is no name: letters, digits, '.', '_' and '-' are")
        spec = spec_of(options)
        if data is None:
            raise UnreadableInput("the quick recipe learns from recordings: give their folder with --data")
        normal, others = _heard(data, spec.sample_rate, options.normal)
        about = f"{len(normal)} recordings of {sum(_run(one).seconds for one in normal) / 60.0:.1f} minutes"
        anomalous = {kind: [_run(one) for one in these] for kind, these in others.items()}
        return learn([_run(one) for one in normal], self.name, about, seed, options, anomalous)


def _heard(data: Path, sample_rate: int, name: str) -> tuple[list[Recording], dict[str, list[Recording]]]:
    """Normal recordings, and all others by kind.

    Raises:
        InputError: the folder cannot be used.
        UnusableAudio: normal sound is clipped or silent, or rates differ.
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
        if rate != (due := max(counts, key=lambda hz: (counts[hz], hz))):
            raise UnusableAudio(
                f"{data / path} has {rate} Hz, the normal sound {due}: features of both would not compare; convert it"
                " or remove it"
            )
    return normal, others


def _kinds(data: Path, recordings: Sequence[Recording], normal: str) -> dict[str, str]:
    """What each recording holds, by its name: ``normal``, or what else; those of unknown kind are left out.

    Raises:
        WrongLayout: there are folders of normal or abnormal sound, but no normal recording.
    """
    folders = {one.name: one.name.split("/")[0] for one in recordings if "/" in one.name}
    if normal in folders.values():
        return {one.name: one.name.split("/")[0] for one in recordings}
    if (data / normal).is_dir():
        raise WrongLayout(f"{data / normal} holds no recording: normal sound is what is learned")
    try:
        clips = load_clips(data)
    except WrongLayout:
        if {folder.lower() for folder in folders.values()} & LABELS.keys():
            raise
        return {one.name: normal for one in recordings}
    return {clip.name: normal if clip.label == "normal" else clip.label for clip in clips if clip.label != "unknown"}


def learn(
    runs: Sequence[Run],
    name: str,
    trained_on: str,
    seed: int,
    options: QuickOptions,
    anomalous: Mapping[str, Sequence[Run]] | None = None,
) -> Trained:
    """Learns a device's normal sound.

    Scores are in dB above the device's usual one, and its threshold is known from sound that was held out, so the
    threshold holds on this device, and on no other, from the first window on (``own``): a fault that is there when a
    worker starts must not become the device's normal. What drifts further is learned anew, in a minute.

    Args:
        runs: normal sound, in order of time.
        name: of the model.
        trained_on: which sound this is, for people.
        seed: of the generated faults that the score is tried on.
        options: see there.
        anomalous: other sound of the device to measure with, by kind.

    Raises:
        TooLittleSound: there are not twelve windows' lengths of it.
        ScoreInverted: generated faults do not score higher than normal sound.
    """
    spec = spec_of(options)
    heard = windows_in(runs, spec)
    _need(runs, heard, spec)
    rows = summaries(heard.features)
    held_out = held_out_scores(rows, heard.at, spec.n_frames, _FLOOR_DB)
    usual = float(np.median(held_out))
    form = replace(fit(rows, heard.at, spec.n_frames, _FLOOR_DB), usual_db=usual)
    normal = held_out - usual
    spread = max(float(normal.std()), _LEAST_SPREAD_DB)
    threshold = float(normal.mean()) + _SPREADS * spread
    pieces = [mono_of(piece, spec.sample_rate) for piece in excerpts(runs, spec, _EXCERPTS)]
    model, direction = ensure_score_direction(QuickModel(form, spec), spec, pieces, seed, two_sided=False)
    heard_faults = _faulty(pieces, seed, spec)
    faults = {kind: form.score(summaries(windows)) for kind, windows in heard_faults.items()}
    recorded = {kind: windows_in(others, spec) for kind, others in (anomalous or {}).items()}
    recorded = {kind: found for kind, found in recorded.items() if len(found.features)}
    recorded_scores = {kind: form.score(summaries(found.features)) for kind, found in recorded.items()}
    metrics = _metrics(normal, faults, threshold) | _measured(heard.run, normal, recorded, recorded_scores)
    metrics["minutes"] = round(sum(run.seconds for run in runs) / 60.0, 2)
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
        report=_report(form, options),
        trained_on=trained_on,
        training_digest=training_digest((run.digest for run in runs), seed),
        golden=_golden(heard, pieces, seed, spec),
        scores={"normal": normal, **faults, **{f"recorded: {kind}": one for kind, one in recorded_scores.items()}},
        examples=best_and_worst(
            {
                "normal": [(heard.features, normal)],
                "with a generated fault": [(heard_faults[kind], scores) for kind, scores in faults.items()],
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


def _need(runs: Sequence[Run], heard: Windows, spec: FeatureSpec) -> None:
    have, need = sum(run.seconds for run in runs), LEAST_WINDOWS * spec.window_seconds
    usable = len(np.unique(heard.at[:, None] + np.arange(spec.n_frames))) / spec.n_frames if len(heard.at) else 0.0
    if usable < LEAST_WINDOWS - 1:
        raise TooLittleSound(
            f"{have:.0f} s of sound in {len(runs)} unbroken runs, of which whole windows of {spec.window_seconds:.0f} s"
            f" cover {usable * spec.window_seconds:.0f} s: at least {need:.0f} s are needed; record for longer, in"
            " longer runs, or learn shorter windows"
        )


def _faulty(pieces: Sequence[Float32], seed: int, spec: FeatureSpec) -> dict[str, Float32]:
    """Windows of the device's sound with generated faults as loud as itself, by kind."""
    found: dict[str, list[Float32]] = {}
    for number, piece in enumerate(pieces):
        for kind, samples in generated_anomalies(piece, spec.sample_rate, seed_of(seed, number)).items():
            found.setdefault(kind, []).append(_windows(samples, spec))
    return {kind: np.concatenate(parts) for kind, parts in found.items()}


def _windows(samples: Float32, spec: FeatureSpec) -> Float32:
    return windows_of(rows_of(samples, spec.sample_rate, spec), spec)


def _metrics(normal: Float64, faults: Mapping[str, Float64], threshold: float) -> dict[str, float]:
    everything = np.concatenate(list(faults.values()))
    metrics = {f"auc_{kind}_0_db": round(auc(normal, scores), 4) for kind, scores in faults.items()}
    metrics["auc_generated"] = round(auc(normal, everything), 4)
    metrics["found_generated"] = round(float(np.mean(everything > threshold)), 4)
    return metrics


def _measured(
    run: npt.NDArray[np.int64], normal: Float64, recorded: Mapping[str, Windows], scores: Mapping[str, Float64]
) -> dict[str, float]:
    """AUC of recordings by kind: means over a recording's windows, normal ones as held out."""
    clips = _means(run, normal)
    return {f"auc_{kind}": round(auc(clips, _means(found.run, scores[kind])), 4) for kind, found in recorded.items()}


def _means(run: npt.NDArray[np.int64], scores: Float64) -> list[float]:
    return [float(scores[run == one].mean()) for one in np.unique(run)]


def _golden(heard: Windows, pieces: Sequence[Float32], seed: int, spec: FeatureSpec) -> Float32:
    """The first windows, the last one with a fault."""
    faulty = next(iter(generated_anomalies(pieces[0], spec.sample_rate, seed).values()))
    return np.concatenate([heard.features[: GOLDEN_WINDOWS - 1], _windows(faulty, spec)[:1]])


def _report(form: ClosedForm, options: QuickOptions) -> dict[str, Any]:
    return {"options": asdict(options), "references": len(form.references), "columns": len(form.centre)}


def _run(recording: Recording) -> Run:
    return Run(recording.samples, recording.sample_rate, recording.digest)
