"""Two models on the same held-out sound: normal, with generated anomalies, and during confirmed alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.adapters.models.onnx_model import OnnxModel
from processors.core.audio.recording import rows_of, to_mono, windows_of
from schemas.errors import SettingsError
from synthesis.draws import seed_of
from synthesis.fault import FAULTS, random_fault
from synthesis.machine import Machine
from synthesis.scream import scream
from synthesis.sound import SAMPLE_RATE, Mix
from tocsin.capture.progress import progress_bar
from tocsin.retraining.sound_set import SoundFile, Split
from trainers.data.decoding import decode
from trainers.data.recordings import resampled
from trainers.evaluation.compare import DeviceScores, TimedScores, align_windows, calibrated_threshold

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

MIN_WINDOWS = 8
_SHAFT_HZ = (12.0, 48.0)
_ROUNDING_NS = 1_000_000
_SILENCE = 1e-12
_SCREAM = "scream"
_REFERENCE, _NORMAL, _REAL = "reference", "normal", "real"


@dataclass(frozen=True, slots=True, eq=False)
class ModelEvaluation:
    """Scores of both models on the same windows.

    Attributes:
        candidate: scores by device.
        champion: scores by device; empty without a champion.
        too_short: devices with too little held-out sound to evaluate.
    """

    candidate: tuple[DeviceScores, ...]
    champion: tuple[DeviceScores, ...]
    too_short: tuple[str, ...] = ()


def evaluate(
    split: Split,
    candidate: OnnxModel,
    champions: Mapping[str, OnnxModel | None],
    snrs_db: Sequence[float],
    seed: int,
    max_seconds: float,
) -> ModelEvaluation:
    """Evaluates both models on every device's held-out sound.

    Args:
        split: of the sound set.
        candidate: the trained model.
        champions: present models by device; for all devices or for none.
        snrs_db: levels of generated anomalies relative to the sound they are added to, dB.
        seed: of the anomalies.
        max_seconds: maximum of each device's reference and evaluation sound each; the earliest is used.

    Raises:
        SettingsError: no device has enough held-out sound for eight windows.
        NotAudio, UnreadableInput: a file cannot be read.
    """
    devices = sorted({one.device for one in split.evaluation})
    candidate_scores: list[DeviceScores] = []
    champion_scores: list[DeviceScores] = []
    too_short: dict[str, int] = {}
    with progress_bar("comparing", len(devices), "devices") as advance:
        for number, device in enumerate(devices):
            models = [candidate, *filter(None, [champions.get(device)])]
            mine = [one for one in split.evaluation if one.device == device]
            normal = runs_of((one for one in mine if not one.abnormal), max_seconds)
            reference = runs_of((one for one in split.reference if one.device == device), max_seconds)
            scored = {_REFERENCE: _scored(reference, models), _NORMAL: _scored(normal, models)}
            advance(1)
            fewest = min(len(scores[0]) for scores in scored.values())
            if fewest < MIN_WINDOWS:
                too_short[device] = fewest
                continue
            scored[_REAL] = _scored(runs_of((one for one in mine if one.abnormal), max_seconds), models)
            generator = _screams if candidate.manifest.detector == _SCREAM else _faults
            # One at a time: all of them together would exceed the memory of a small machine.
            for kind, mixed in generator(normal, snrs_db, seed_of(seed, number)):
                scored[kind] = _scored(mixed, models)
            for index, (model, device_scores) in enumerate(
                zip(models, (candidate_scores, champion_scores), strict=False)
            ):
                device_scores.append(
                    _device_scores(device, model, {name: scores[index] for name, scores in scored.items()})
                )
    if not candidate_scores:
        device, fewest = max(too_short.items(), key=lambda item: item[1])
        raise SettingsError(
            f"{device}: a part of the held-out sound has {fewest} windows of"
            f" {candidate.manifest.features.window_seconds:.1f} s; {MIN_WINDOWS} are needed, and no other device has"
            " more: give an earlier --since, or longer clips with --clip"
        )
    return ModelEvaluation(tuple(candidate_scores), tuple(champion_scores), tuple(sorted(too_short)))


def runs_of(files: Iterable[SoundFile], max_seconds: float) -> list[Float32]:
    """Files as continuous runs: consecutive files of a source recording without a gap are joined.

    Args:
        files: in any order.
        max_seconds: maximum in all; the earliest are used.

    Returns:
        float32 (n,) each, mono, in [-1, 1], at the synthesis's 16,000 Hz.
    """
    runs: list[list[Float32]] = []
    last: SoundFile | None = None
    left = max_seconds
    for one in sorted(files, key=lambda one: (one.begin_ns, one.name)):
        if left <= 0.0:
            break
        left -= one.seconds
        # Capture times are whole nanoseconds, rounded down at either end.
        joined = last is not None and last.source == one.source and abs(one.begin_ns - last.end_ns) < _ROUNDING_NS
        if joined:
            runs[-1].append(_read(one))
        else:
            runs.append([_read(one)])
        last = one
    return [np.concatenate(parts) for parts in runs]


def _scored(runs: Sequence[Float32], models: Sequence[OnnxModel]) -> list[Float64]:
    """Each model's scores of all runs, on the same windows."""
    columns: list[list[Float64]] = [[] for _ in models]
    for run in runs:
        timed = [_timed(run, model) for model in models]
        paired = align_windows(*timed) if len(timed) == 2 else (timed[0].scores,)
        for column, scores in zip(columns, paired, strict=True):
            column.append(scores)
    return [np.concatenate(column) if column else np.empty(0) for column in columns]


def _timed(run: Float32, model: OnnxModel) -> TimedScores:
    spec = model.manifest.features
    windows = windows_of(rows_of(run, SAMPLE_RATE, spec), spec)
    scores = model.score(windows)[0].astype(np.float64) if len(windows) else np.empty(0)
    starts = np.arange(len(scores), dtype=np.float64) * (spec.window_hop * spec.pool * spec.hop / spec.sample_rate)
    return TimedScores(starts, spec.window_seconds, scores)


def _device_scores(device: str, model: OnnxModel, scores: Mapping[str, Float64]) -> DeviceScores:
    calibration = model.manifest.calibration
    return DeviceScores(
        device=device,
        threshold=calibrated_threshold(calibration, scores[_REFERENCE]),
        spread=calibration.spread,
        normal=scores[_NORMAL],
        anomalous={kind: one for kind, one in scores.items() if kind not in (_REFERENCE, _NORMAL, _REAL)},
        real=scores[_REAL],
    )


def _faults(runs: Sequence[Float32], snrs_db: Sequence[float], seed: int) -> Iterator[tuple[str, list[Float32]]]:
    """All runs with one kind of fault at one level, then with the next."""
    rng = np.random.default_rng(seed)
    # The rotation speed of the device is unknown: its faults get a random one.
    machine = Machine("unknown", float(rng.uniform(*_SHAFT_HZ)), 0.0, Mix(()))
    for number, kind in enumerate(FAULTS):
        fault = random_fault(seed_of(seed, number), machine, kind).sound
        first = int(rng.integers(0, 60 * SAMPLE_RATE))
        added = [fault.at(first, len(run)) for run in runs]
        yield from _mixed(kind, runs, added, snrs_db)


def _screams(runs: Sequence[Float32], snrs_db: Sequence[float], seed: int) -> Iterator[tuple[str, list[Float32]]]:
    """All runs with continuous screams at one level, then at the next."""
    yield from _mixed(_SCREAM, runs, [_continuous_screams(len(run), seed) for run in runs], snrs_db)


def _continuous_screams(n: int, seed: int) -> Float64:
    parts: list[Float64] = []
    while sum(map(len, parts)) < n:
        parts.append(scream(seed_of(seed, len(parts))))
    sound = np.concatenate(parts)[:n]
    return sound / max(float(np.sqrt(np.mean(sound**2))), _SILENCE)


def _mixed(
    kind: str, runs: Sequence[Float32], added: Sequence[Float64], snrs_db: Sequence[float]
) -> Iterator[tuple[str, list[Float32]]]:
    """Runs with sounds of unit rms added, at levels relative to each run's own level."""
    for snr in snrs_db:
        factor = 10.0 ** (snr / 20.0)
        mixed = [run + float(np.std(run)) * factor * sound for run, sound in zip(runs, added, strict=True)]
        yield f"{kind} {snr:+g} dB", [np.clip(one, -1.0, 1.0).astype(np.float32) for one in mixed]


def _read(one: SoundFile) -> Float32:
    samples, rate = decode(one.path)
    return resampled(to_mono(samples), rate, SAMPLE_RATE)
