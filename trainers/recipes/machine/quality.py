"""How a machine model's scores rise with faults: on held-out synthetic machines, and on real recordings."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import NotAudio
from schemas.features import FeatureSpec
from schemas.npz import read_array
from trainers.data.recordings import read_folder
from trainers.evaluation.metrics import auc
from trainers.export.torch_model import scores_of
from trainers.recipes.machine.data import MachineFrames

Float64 = npt.NDArray[np.float64]

_NORMAL = "normal"
_MAX_BYTES = 4 * 1024**3
_FULL_SCALE_G = 4.0
"""The power of two above the strongest acceleration, in g: one scale for all states of a sensor."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredMachine:
    """A held-out machine's scores.

    Attributes:
        kind: of machine.
        normal: float64 (windows,).
        faulty: by fault kind, float64 (windows,).
    """

    kind: str
    normal: Float64
    faulty: dict[str, Float64]


def score_machines(net: nn.Module, machines: Sequence[MachineFrames], spec: FeatureSpec) -> list[ScoredMachine]:
    """Scores held-out machines."""
    return [
        ScoredMachine(
            kind=machine.kind,
            normal=_scores(net, machine.healthy, spec),
            faulty={kind: _scores(net, frames, spec) for kind, frames in machine.faulty.items()},
        )
        for machine in machines
    ]


def spread_of(scored: Sequence[ScoredMachine]) -> float:
    """Standard deviation of the normal scores of a steady machine, the lower quartile, > 0.

    Serving uses the larger of this and the device's own: so the few scores of a steady device never seem to have no
    spread at all. It must not exceed the spread that devices show themselves.
    """
    return max(float(np.percentile([machine.normal.std() for machine in scored], 25)), 1e-3)


def auc_by_fault(scored: Sequence[ScoredMachine]) -> dict[str, dict[str, float]]:
    """AUC within a machine, by fault kind: the mean over machines of each kind, and over ``all``."""
    table: dict[str, dict[str, list[float]]] = {}
    for machine in scored:
        for fault, scores in machine.faulty.items():
            value = auc(machine.normal, scores)
            for column in (machine.kind, "all"):
                table.setdefault(fault, {}).setdefault(column, []).append(value)
    return {
        fault: {column: round(float(np.mean(values)), 4) for column, values in sorted(row.items())}
        for fault, row in table.items()
    }


def detected_by_fault(scored: Sequence[ScoredMachine], margin: float) -> dict[str, float]:
    """Share of machines with a median faulty score more than ``margin`` spreads above the normal mean, by fault kind.

    The larger of the machine's own spread and :func:`spread_of` counts, as in serving.
    """
    spread = spread_of(scored)
    table: dict[str, list[bool]] = {}
    for machine in scored:
        limit = float(machine.normal.mean()) + margin * max(float(machine.normal.std()), spread)
        for fault, scores in machine.faulty.items():
            table.setdefault(fault, []).append(float(np.median(scores)) > limit)
    return {fault: round(float(np.mean(values)), 4) for fault, values in table.items()}


def bearing_aucs(net: nn.Module, folder: Path, spec: FeatureSpec) -> dict[str, float]:
    """AUC of each fault's windows against those of ``normal``.

    Args:
        net: the model.
        folder: ``*.npz`` with ``acceleration_g`` float32 (n,) and ``sample_rate_hz``, or else sound files; one of them
            is called ``normal``.
        spec: the features.

    Raises:
        NotAudio: a file has no such arrays.
    """
    scores = {path.stem: _bearing_scores(net, path, spec) for path in sorted(folder.glob("*.npz"))}
    if not scores:
        scores = {
            Path(one.name).stem: _scores(net, rows_of(one.samples, one.sample_rate, spec), spec)
            for one in read_folder(folder, (), spec.sample_rate)
        }
    return {
        name: round(auc(scores[_NORMAL], values), 4)
        for name, values in scores.items()
        if name != _NORMAL and _NORMAL in scores
    }


def motor_aucs(net: nn.Module, folder: Path, spec: FeatureSpec) -> dict[str, Any]:
    """Each state in turn as normal: AUC of the other states' clip means, and how states differ.

    A model not trained on a machine can tell its states apart by the score only where one is reconstructed worse than
    the other: of each pair one direction is below one half.

    Args:
        net: the model.
        folder: recordings named ``<state>_<number>``.
        spec: the features.
    """
    means: dict[str, list[float]] = {}
    for one in read_folder(folder, (), spec.sample_rate):
        scores = _scores(net, rows_of(one.samples, one.sample_rate, spec), spec)
        means.setdefault(Path(one.name).stem.rsplit("_", 1)[0], []).append(float(scores.mean()))
    pairs = {
        f"{normal} -> {other}": round(auc(means[normal], means[other]), 4)
        for normal in sorted(means)
        for other in sorted(means)
        if normal != other
    }
    states = {state: {"mean": float(np.mean(one)), "sd": float(np.std(one))} for state, one in means.items()}
    return {"auc": pairs, "states": states, "mean_separation": _mean_separation(pairs)}


def _mean_separation(pairs: Mapping[str, float]) -> float:
    """Mean over pairs of the AUC in the direction in which it exceeds one half."""
    return round(float(np.mean([max(value, 1.0 - value) for value in pairs.values()])), 4) if pairs else 0.5


def _bearing_scores(net: nn.Module, path: Path, spec: FeatureSpec) -> Float64:
    try:
        with zipfile.ZipFile(path) as archive:
            samples = read_array(archive, "acceleration_g", _MAX_BYTES)
            rate = int(read_array(archive, "sample_rate_hz", _MAX_BYTES).item())
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise NotAudio(f"{path} has no acceleration_g and sample_rate_hz: {error}") from None
    scaled = np.asarray(samples / _FULL_SCALE_G, dtype=np.float32)
    return _scores(net, rows_of(scaled, rate, spec), spec)


def _scores(net: nn.Module, frames: npt.NDArray[np.float32], spec: FeatureSpec) -> Float64:
    return scores_of(net, windows_of(frames, spec)).astype(np.float64)
