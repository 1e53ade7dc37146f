"""Learning from normal clips alone: parts that share no take, thresholds swept apart from the test, figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import SettingsError, UnusableAudio, WrongLayout
from schemas.features import FeatureSpec
from synthesis.draws import seed_of
from trainers.data.loaders.clip import ChannelRule, Clip
from trainers.data.loaders.split import split_by_group
from trainers.evaluation.direction import generated_anomalies
from trainers.evaluation.metrics import auc, f1
from trainers.model import Model
from trainers.progress import track

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_TRAIN, _VALIDATION, _SWEEP, _TEST = 0.6, 0.1, 0.15, 0.15
_STEPS = 41


@dataclass(frozen=True, slots=True)
class Parts:
    """A set's clips; no take stands in two parts.

    Attributes:
        train, validation: normal clips to learn from and to stop by.
        sweep: normal and abnormal clips to choose the threshold with.
        test: what is measured on, and nothing else.
    """

    train: list[Clip]
    validation: list[Clip]
    sweep: list[Clip]
    test: list[Clip]


@dataclass(frozen=True, slots=True, eq=False)
class HeardClip:
    """A clip's windows.

    Attributes:
        clip: which.
        samples: float32 (n,), at the specification's rate.
        windows: float32 (windows, n_frames, width).
    """

    clip: Clip
    samples: Float32
    windows: Float32


def chosen(clips: Sequence[Clip], machine: str, unit: str, snr: str) -> list[Clip]:
    """Clips of a machine type, unit and SNR; an empty text takes all.

    Raises:
        SettingsError: none is left, or ``snr`` is no number.
    """
    try:
        snr_db = float(snr) if snr else None
    except ValueError:
        raise SettingsError(f"option 'snr' is {snr!r}, which is no number of dB") from None
    kept = [
        clip
        for clip in clips
        if machine in ("", clip.machine) and unit in ("", clip.unit) and snr_db in (None, clip.snr_db)
    ]
    if not kept:
        there_are = sorted({f"{clip.machine}/{clip.unit}/{clip.snr_db}" for clip in clips})
        raise SettingsError(
            f"no clip of machine {machine!r}, unit {unit!r}, snr {snr!r}; there are {', '.join(there_are[:20])}"
        )
    return kept


def parts_of(clips: Sequence[Clip], seed: int) -> Parts:
    """Splits clips by take: 60 % of the normal ones to learn from, 10 % to stop by, the rest to sweep and to test.

    A set that was published in parts keeps them: what is learned comes from its training part, and its test part is
    halved for sweep and test. Clips of unknown label are left out.

    Raises:
        WrongLayout: there are too few normal clips, or a single abnormal one.
    """
    normal = [clip for clip in clips if clip.label == "normal"]
    abnormal = [clip for clip in clips if clip.label == "abnormal"]
    if len(abnormal) == 1:
        raise WrongLayout(f"{abnormal[0].path} is the only abnormal clip: one to sweep with and one to test are needed")
    published = [clip for clip in normal if clip.split == "test"]
    if published:
        learned = [clip for clip in normal if clip.split != "test"]
        train, validation = split_by_group(learned, (0.85, 0.15), seed_of(seed, 0))
        sweep, test = split_by_group(published, (0.5, 0.5), seed_of(seed, 1))
    else:
        train, validation, sweep, test = split_by_group(normal, (_TRAIN, _VALIDATION, _SWEEP, _TEST), seed_of(seed, 0))
    if abnormal:
        first, second = split_by_group(abnormal, (0.5, 0.5), seed_of(seed, 2))
        sweep, test = sweep + first, test + second
    return Parts(train, validation, sweep, test)


def hear(clips: Sequence[Clip], spec: FeatureSpec, channel: ChannelRule, label: str) -> list[HeardClip]:
    """Windows of clips.

    Raises:
        InputError: a file cannot be read or should not be learned from.
        UnusableAudio: a clip is shorter than a window.
    """
    heard = []
    for clip in track(clips, label):
        samples = clip.samples(spec.sample_rate, channel)
        windows = windows_of(rows_of(samples, spec.sample_rate, spec), spec)
        if not len(windows):
            raise UnusableAudio(
                f"{clip.path} lasts {len(samples) / spec.sample_rate:.2f} s, a window {spec.window_seconds:.2f} s:"
                " remove it or take shorter windows"
            )
        heard.append(HeardClip(clip, samples, windows))
    return heard


def with_generated(heard: Sequence[HeardClip], spec: FeatureSpec, seed: int) -> list[HeardClip]:
    """Normal clips, and after them abnormal ones made of them where the set has none of its own."""
    if any(one.clip.label == "abnormal" for one in heard):
        return list(heard)
    made = []
    for number, one in enumerate(heard):
        for samples in generated_anomalies(one.samples, spec.sample_rate, seed_of(seed, number)).values():
            clip = replace(one.clip, label="abnormal", details=one.clip.details | {"generated": "yes"})
            made.append(HeardClip(clip, samples, windows_of(rows_of(samples, spec.sample_rate, spec), spec)))
    return [*heard, *made]


def window_scores(model: Model, heard: Sequence[HeardClip]) -> list[Float64]:
    """Scores of each clip's windows, float64 (windows,) each."""
    return [model.infer(one.windows)[0].astype(np.float64) for one in heard]


def swept(normal: Float64, abnormal: Float64) -> tuple[float, list[dict[str, float]]]:
    """The threshold of the best balanced accuracy on windows kept for choosing it, and all that were tried.

    Args:
        normal, abnormal: scores, float64 (n,) and (m,).

    Returns:
        The middle of the best ones, and ``threshold``, ``accuracy``, ``balanced`` of each.
    """
    table = []
    lowest, highest = np.quantile(np.concatenate([normal, abnormal]), [0.01, 0.99]).tolist()
    for threshold in np.linspace(lowest, highest, _STEPS).tolist():
        quiet, found = float(np.mean(normal <= threshold)), float(np.mean(abnormal > threshold))
        right = (quiet * len(normal) + found * len(abnormal)) / (len(normal) + len(abnormal))
        table.append({"threshold": threshold, "accuracy": right, "balanced": 0.5 * (quiet + found)})
    best = max(row["balanced"] for row in table)
    return float(np.median([row["threshold"] for row in table if row["balanced"] == best])), table


def figures(heard: Sequence[HeardClip], scores: Sequence[Float64], threshold: float) -> dict[str, float]:
    """Quality on clips kept for it.

    Returns:
        ``window_auc``, ``clip_auc`` (of clip means), ``window_accuracy``, ``window_f1``, and ``level_auc``: what the
        windows' level alone would reach, either way round. A score that does not pass it has heard loudness.
    """
    bad = np.array([one.clip.label == "abnormal" for one in heard])
    truth = np.concatenate([np.full(len(s), b) for s, b in zip(scores, bad, strict=True)])
    every = np.concatenate(scores)
    means = np.array([s.mean() for s in scores])
    levels = np.array([_level_of(one) for one in heard])
    level_auc = auc(levels[~bad], levels[bad])
    said = every > threshold
    return {
        "window_auc": auc(every[~truth], every[truth]),
        "clip_auc": auc(means[~bad], means[bad]),
        "window_accuracy": float(np.mean(said == truth)),
        "window_f1": f1(truth, said),
        "level_auc": max(level_auc, 1.0 - level_auc),
    }


def by_machine(heard: Sequence[HeardClip], scores: Sequence[Float64]) -> dict[str, dict[str, Any]]:
    """Clip AUC of every machine, unit and SNR that has clips of both kinds in the test, and what loudness reaches."""
    cells: dict[str, dict[bool, list[tuple[float, float]]]] = {}
    for one, values in zip(heard, scores, strict=True):
        snr = "" if one.clip.snr_db is None else f"/{one.clip.snr_db:g}dB"
        cell = cells.setdefault(f"{one.clip.machine}/{one.clip.unit}{snr}", {False: [], True: []})
        cell[one.clip.label == "abnormal"].append((float(values.mean()), _level_of(one)))
    found = {}
    for name, cell in sorted(cells.items()):
        if cell[False] and cell[True]:
            (good, quiet), (bad, loud) = (tuple(zip(*cell[label], strict=True)) for label in (False, True))
            level = auc(quiet, loud)
            found[name] = {
                "clip_auc": round(auc(good, bad), 4),
                "level_auc": round(max(level, 1.0 - level), 4),
                "clips": len(good) + len(bad),
            }
    return found


def _level_of(one: HeardClip) -> float:
    """Ten times less than dB: only the order counts."""
    return float(np.log10(np.mean(np.square(one.samples, dtype=np.float64)) + 1e-12))
