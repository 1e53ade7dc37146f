"""How well devices' memory banks detect faults, and tell devices apart that the embedding was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.features import FeatureSpec
from trainers.evaluation.metrics import auc
from trainers.recipes.embedding.data import DeviceRecording, TrainingDevice, windows_and_recordings
from trainers.recipes.embedding.memory_bank import MIN_WINDOWS, MemoryBank, fit_memory_bank
from trainers.recipes.embedding.model import views_of
from trainers.recipes.embedding.network import PHASES, EmbeddingNet

Float64 = npt.NDArray[np.float64]

FOLDS = 4


def memory_bank_of(
    recordings: Sequence[DeviceRecording], embedding: EmbeddingNet | None, spec: FeatureSpec
) -> MemoryBank:
    """A device's memory bank.

    Raises:
        EmptyAudio: too few windows.
    """
    windows, recording = windows_and_recordings(recordings, spec)
    return fit_memory_bank(views_of(windows, embedding) if len(windows) else [], recording)


def clip_scores(
    memory_bank: MemoryBank,
    recordings: Sequence[DeviceRecording],
    embedding: EmbeddingNet | None,
    spec: FeatureSpec,
    views: slice = slice(None),
) -> Float64:
    """Mean score of each recording's windows, float64 (recordings,); those shorter than a window are skipped."""
    windows, recording = windows_and_recordings(recordings, spec)
    if not len(windows):
        return np.empty(0)
    selected = MemoryBank(memory_bank.views[views], memory_bank.held_out)
    scores = selected.score(views_of(windows, embedding)[views])
    return np.array([scores[recording == one].mean() for one in np.unique(recording)])


def fault_aucs(
    devices: Sequence[TrainingDevice], embedding: EmbeddingNet | None, spec: FeatureSpec, seed: int
) -> dict[str, float]:
    """AUC of each device's faulty recordings against held-out normal ones, four folds by recording."""
    table = {}
    for device in devices:
        if not device.abnormal:
            continue
        values = []
        for training, held_out in folds_of(device.normal, seed):
            if len(windows_and_recordings(training, spec)[0]) < MIN_WINDOWS:
                continue
            memory_bank = memory_bank_of(training, embedding, spec)
            normal = clip_scores(memory_bank, held_out, embedding, spec)
            faulty = clip_scores(memory_bank, device.abnormal, embedding, spec)
            if len(normal) and len(faulty):
                values.append(auc(normal, faulty))
        if values:
            table[device.name] = round(float(np.mean(values)), 4)
    return table


def pair_aucs(
    devices: Sequence[TrainingDevice],
    train_on: Callable[[Sequence[TrainingDevice]], EmbeddingNet | None],
    spec: FeatureSpec,
    seed: int,
    *,
    blocks: bool = False,
) -> dict[str, Any]:
    """AUC of each pair of devices, one as normal sound and the other as anomalies.

    The embedding of a pair is trained on all devices but these two: otherwise it would have been trained on the very
    difference that is measured. Normal recordings are held out of the memory bank that scores them, four folds.

    Args:
        devices: at least three, with normal recordings.
        train_on: trains an embedding on devices, or returns None: phases alone are measured then.
        spec: the features.
        seed: of the folds.
        blocks: whether held-out recordings are contiguous in time; see :func:`folds_of`.
    """
    pairs: dict[str, dict[str, float]] = {}
    for first in range(len(devices)):
        for second in range(first + 1, len(devices)):
            rest = [one for index, one in enumerate(devices) if index not in (first, second)]
            embedding = train_on(rest)
            for normal, other in ((devices[first], devices[second]), (devices[second], devices[first])):
                folds = folds_of(normal.normal, seed, blocks=blocks)
                pairs[f"{normal.name} -> {other.name}"] = _pair(other, embedding, spec, folds)
    table: dict[str, Any] = {"pairs": pairs}
    for views in next(iter(pairs.values())):
        values = {pair: row[views] for pair, row in pairs.items()}
        worst = min(values, key=lambda pair: values[pair])
        table[views] = {
            "mean": round(float(np.mean(list(values.values()))), 4),
            "worst": values[worst],
            "worst_pair": worst,
        }
    return table


def _pair(
    other: TrainingDevice,
    embedding: EmbeddingNet | None,
    spec: FeatureSpec,
    folds: Sequence[tuple[list[DeviceRecording], list[DeviceRecording]]],
) -> dict[str, float]:
    views_by_name = {"phases": slice(0, PHASES)}
    if embedding is not None:
        views_by_name |= {"both": slice(None), "embedding": slice(PHASES, None)}
    values: dict[str, list[float]] = {name: [] for name in views_by_name}
    for training, held_out in folds:
        memory_bank = memory_bank_of(training, embedding, spec)
        for name, views in views_by_name.items():
            own = clip_scores(memory_bank, held_out, embedding, spec, views)
            values[name].append(auc(own, clip_scores(memory_bank, other.normal, embedding, spec, views)))
    return {name: round(float(np.mean(aucs)), 4) for name, aucs in values.items()}


def folds_of(
    recordings: Sequence[DeviceRecording], seed: int, *, blocks: bool = False
) -> list[tuple[list[DeviceRecording], list[DeviceRecording]]]:
    """Recordings to train on and to hold out, four times; every recording is held out once.

    Args:
        recordings: in order of time.
        seed: of the draw.
        blocks: hold out neighbouring recordings together, not at random: test and training sound are then of different
            times, and a device that drifts is taken for another one.
    """
    count, n = min(FOLDS, len(recordings)), len(recordings)
    indices = np.arange(n, dtype=np.int64)
    fold = indices * count // n if blocks else np.random.default_rng(seed).permutation(n) % count
    return [
        (
            [one for one, its_fold in zip(recordings, fold, strict=True) if its_fold != number],
            [one for one, its_fold in zip(recordings, fold, strict=True) if its_fold == number],
        )
        for number in range(int(fold.max()) + 1)
    ]
