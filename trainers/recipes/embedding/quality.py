"""How well devices' own banks tell what is not theirs: faults, and each other without having been taught to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.features import FeatureSpec
from trainers.evaluation.metrics import auc
from trainers.recipes.embedding.data import Device, Heard, windows_and_recordings
from trainers.recipes.embedding.memory_bank import LEAST_WINDOWS, MemoryBank, fit_memory_bank
from trainers.recipes.embedding.model import views_of
from trainers.recipes.embedding.network import PHASES, EmbeddingNet

Float64 = npt.NDArray[np.float64]

FOLDS = 4


def memory_bank_of(heard: Sequence[Heard], embedding: EmbeddingNet | None, spec: FeatureSpec) -> MemoryBank:
    """A device's bank.

    Raises:
        EmptyAudio: too few windows.
    """
    windows, recording = windows_and_recordings(heard, spec)
    return fit_memory_bank(views_of(windows, embedding) if len(windows) else [], recording)


def clip_scores(
    bank: MemoryBank,
    heard: Sequence[Heard],
    embedding: EmbeddingNet | None,
    spec: FeatureSpec,
    views: slice = slice(None),
) -> Float64:
    """Mean score of each recording's windows, float64 (recordings,); those shorter than a window are left out."""
    windows, recording = windows_and_recordings(heard, spec)
    if not len(windows):
        return np.empty(0)
    # A bank of fewer views scores by those.
    part = MemoryBank(bank.views[views], bank.held_out)
    scores = part.score(views_of(windows, embedding)[views])
    return np.array([scores[recording == one].mean() for one in np.unique(recording)])


def fault_aucs(
    devices: Sequence[Device], embedding: EmbeddingNet | None, spec: FeatureSpec, seed: int
) -> dict[str, float]:
    """AUC of each device's faulty recordings against normal ones its bank has not met, four folds by recording."""
    found = {}
    for device in devices:
        if not device.abnormal:
            continue
        values = []
        for learned, held_out in folds_of(device.normal, seed):
            if len(windows_and_recordings(learned, spec)[0]) < LEAST_WINDOWS:
                continue
            bank = memory_bank_of(learned, embedding, spec)
            normal = clip_scores(bank, held_out, embedding, spec)
            faulty = clip_scores(bank, device.abnormal, embedding, spec)
            if len(normal) and len(faulty):
                values.append(auc(normal, faulty))
        if values:
            found[device.name] = round(float(np.mean(values)), 4)
    return found


def pair_aucs(
    devices: Sequence[Device],
    embedding_without: Callable[[Sequence[Device]], EmbeddingNet | None],
    spec: FeatureSpec,
    seed: int,
    *,
    blocks: bool = False,
) -> dict[str, Any]:
    """Each device in turn as normal, each other as what is wrong with it.

    The embedding of a pair has learned from all devices but these two: else it would have been taught the very
    difference it is asked for. Normal recordings are scored by a bank that has not met them, four folds.

    Args:
        devices: at least three, with normal recordings.
        embedding_without: trains one on what it is given, or gives None: phases alone are measured then.
        spec: the features.
        seed: of the folds.
        blocks: whether what is held out is one piece of time; see :func:`folds_of`.
    """
    pairs: dict[str, dict[str, float]] = {}
    for first in range(len(devices)):
        for second in range(first + 1, len(devices)):
            rest = [one for place, one in enumerate(devices) if place not in (first, second)]
            embedding = embedding_without(rest)
            for normal, other in ((devices[first], devices[second]), (devices[second], devices[first])):
                folds = folds_of(normal.normal, seed, blocks=blocks)
                pairs[f"{normal.name} -> {other.name}"] = _pair(other, embedding, spec, folds)
    table: dict[str, Any] = {"pairs": pairs}
    for by in next(iter(pairs.values())):
        values = {pair: row[by] for pair, row in pairs.items()}
        worst = min(values, key=lambda pair: values[pair])
        table[by] = {
            "mean": round(float(np.mean(list(values.values()))), 4),
            "worst": values[worst],
            "worst_pair": worst,
        }
    return table


def _pair(
    other: Device,
    embedding: EmbeddingNet | None,
    spec: FeatureSpec,
    folds: Sequence[tuple[list[Heard], list[Heard]]],
) -> dict[str, float]:
    parts = {"phases": slice(0, PHASES)}
    if embedding is not None:
        parts |= {"both": slice(None), "embedding": slice(PHASES, None)}
    values: dict[str, list[float]] = {by: [] for by in parts}
    for learned, held_out in folds:
        bank = memory_bank_of(learned, embedding, spec)
        for by, views in parts.items():
            own = clip_scores(bank, held_out, embedding, spec, views)
            values[by].append(auc(own, clip_scores(bank, other.normal, embedding, spec, views)))
    return {by: round(float(np.mean(found)), 4) for by, found in values.items()}


def folds_of(heard: Sequence[Heard], seed: int, *, blocks: bool = False) -> list[tuple[list[Heard], list[Heard]]]:
    """Recordings to learn from and to hold out, four times; every recording is held out once.

    Args:
        heard: in order of time.
        seed: of the draw.
        blocks: hold out neighbours together, not at random: what is tested is then of another time than what was
            learned from. A device that drifts is told from its former self by that.
    """
    count = min(FOLDS, len(heard))
    places = np.arange(len(heard), dtype=np.int64)
    fold = places * count // len(heard) if blocks else np.random.default_rng(seed).permutation(len(heard)) % count
    return [
        (
            [one for one, of in zip(heard, fold, strict=True) if of != number],
            [one for one, of in zip(heard, fold, strict=True) if of == number],
        )
        for number in range(int(fold.max()) + 1)
    ]
