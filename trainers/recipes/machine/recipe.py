"""The machine recipe: an autoencoder that has heard many machines, and what faults do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import avg_pool1d

from processors.core.audio.recording import windows_of
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from synthesis.draws import seed_of
from synthesis.machine import random_machine
from synthesis.sound import SAMPLE_RATE
from trainers.evaluation.direction import ensure_score_direction
from trainers.evaluation.examples import best_and_worst
from trainers.evaluation.metrics import quantiles_of
from trainers.example import Example
from trainers.export.onnx_export import GOLDEN_WINDOWS
from trainers.export.provenance import training_digest
from trainers.export.torch_model import TorchModel
from trainers.recipe import Float32, Preset, Trained, with_settings
from trainers.recipes.machine.batches import MachineBatches
from trainers.recipes.machine.data import HeardMachine, hear_many
from trainers.recipes.machine.network import MachineNet
from trainers.recipes.machine.quality import (
    ScoredMachine,
    auc_by_fault,
    bearing_aucs,
    found_by_fault,
    motor_aucs,
    score_machines,
    spread_of,
)
from trainers.training.loop import fit, repeatable

SPEC = FeatureSpec(n_frames=96, window_hop=48)

_LEARNED_SEVERITY_DB = (-12.0, 3.0)
_FAULTS_LEARNED, _FAULTS_MEASURED = 2, 5
_MEASURED_DB = (-6.0, 0.0)
_HELD_OUT = 1_000_003
_UNHEARD = 6
# Spreads above a device's own mean at which serving puts the threshold after half a minute.
_MARGIN = 7.5
# Loss of a window in dB^2 comes to about one.
_LOSS_SCALE = 0.01


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """What may be set.

    Attributes:
        machines: synthetic machines to learn from.
        seconds: heard of each, healthy and with each of two faults; at least 2.
        held_out: synthetic machines to measure with, each with all five faults.
        held_out_seconds: heard of each of them; at least 4.
        steps, batch, rate: of the training run.
        faulty_share: of the windows heard with a fault, to be rebuilt without it; in (0, 1].
        width, code, smooth: see :class:`trainers.recipes.machine.network.MachineNet`.
    """

    machines: int = 360
    seconds: float = 8.0
    held_out: int = 24
    held_out_seconds: float = 20.0
    steps: int = 1_400
    batch: int = 48
    rate: float = 0.003
    faulty_share: float = 0.6
    width: int = 16
    code: int = 20
    smooth: int = 8


PRESETS: dict[str, Preset] = {
    "small": {"machines": 36, "seconds": 4.0, "held_out": 6, "held_out_seconds": 8.0, "steps": 200, "batch": 16}
}


class MachineRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Learns from synthetic machines alone: denoising autoencoding (Vincent et al., ICML 2008) in which the noise is a
    fault, so that what it takes away, and so its error, is what a healthy machine would not have. Without it the
    direction of the score is wrong: noise rebuilds better than tones, and trained on healthy sound alone the same
    network scored cavitation and rub below healthy sound (AUC .13 and .18 at 0 dB on 36 machines held out, against
    .97 and .98; the latter though bearings and leaks were kept from it, which it found at .96 and .98).

    Recordings, if given, are for measuring: ``bearing/*.npz`` and ``motor/*`` below the data folder.
    """

    name = "machine"
    summary = "machines: an autoencoder on windows of two seconds; learns from synthetic machines"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(MachineOptions(), settings, PRESETS)
        machines = hear_many(
            seed_of(seed, 0), options.machines, SPEC, options.seconds, _LEARNED_SEVERITY_DB, _FAULTS_LEARNED
        )
        net, losses = _trained(machines, seed, options)
        unmet = {severity: _unmet(seed, options, severity) for severity in _MEASURED_DB}
        measured = {severity: score_machines(net, heard, SPEC) for severity, heard in unmet.items()}
        strong = measured[_MEASURED_DB[-1]]
        normal = np.concatenate([machine.normal for machine in strong])
        report, metrics = _report(net, measured, data, options)
        model = TorchModel(net, has_bands=True)
        # One model hears many machines: there is no usual score of them all to be two-sided about.
        _, direction = ensure_score_direction(model, SPEC, _unheard(seed, options), seed, two_sided=False)
        return Trained(
            name=self.name,
            detector=self.name,
            model=model,
            spec=SPEC,
            calibration=Calibration(
                transfer="relative",
                threshold=round(float(np.quantile(normal, 0.999)), 4),
                spread=round(spread_of(strong), 4),
                n=len(normal),
                quantiles=quantiles_of(normal),
            ),
            metrics=metrics,
            report=report,
            trained_on=f"{options.machines} synthetic machines of six kinds, healthy and with five kinds of faults",
            training_digest=training_digest((), seed),
            golden=_golden(machines),
            scores={"normal": _centred(strong), **_centred_faults(strong)},
            threshold=_MARGIN * spread_of(strong),
            losses={"training": losses},
            examples=_examples(net, unmet[_MEASURED_DB[-1]], strong),
            direction=direction,
        )


def _trained(machines: Sequence[HeardMachine], seed: int, options: MachineOptions) -> tuple[MachineNet, list[float]]:
    with repeatable(seed):
        net = MachineNet(options.width, options.code, options.smooth)
        batches = MachineBatches(machines, SPEC, seed, options.batch, options.faulty_share)

        def loss() -> torch.Tensor:
            heard, wanted = batches.draw()
            off = (wanted - net.rebuilt(heard)).transpose(1, 2)
            # Fine detail cannot be foretold; what lasts for some frames can, and it is what is scored.
            return _LOSS_SCALE * (0.5 * off.square().mean() + avg_pool1d(off, options.smooth).square().mean())

        losses = fit(net, loss, options.steps, options.rate, "training", (batches.rng,))
    return net, losses


def _unmet(seed: int, options: MachineOptions, severity_db: float) -> list[HeardMachine]:
    """Machines that were not learned from, the same ones at every severity."""
    return hear_many(
        seed_of(seed, _HELD_OUT),
        options.held_out,
        SPEC,
        options.held_out_seconds,
        (severity_db, severity_db),
        _FAULTS_MEASURED,
    )


def _unheard(seed: int, options: MachineOptions) -> list[Float32]:
    """Healthy machines that were not learned from, float32 (n,) each."""
    n = int(options.held_out_seconds * SAMPLE_RATE)
    seeds = [seed_of(seed_of(seed, _HELD_OUT), number) for number in range(_UNHEARD)]
    return [random_machine(one).sound.at(0, n).astype(np.float32) for one in seeds]


def _report(
    net: MachineNet, measured: Mapping[float, Sequence[ScoredMachine]], data: Path | None, options: MachineOptions
) -> tuple[dict[str, Any], dict[str, float]]:
    """Further figures, and the manifest's metrics."""
    report: dict[str, Any] = {"options": asdict(options)}
    metrics: dict[str, float] = {}
    for severity, scored in measured.items():
        table = auc_by_fault(scored)
        report[f"auc_at_{severity:g}_db"] = table
        report[f"found_at_{severity:g}_db"] = found_by_fault(scored, _MARGIN)
        for fault, row in table.items():
            metrics[f"auc_{fault}_{severity:g}_db"] = row["all"]
    if data is not None and (data / "bearing").is_dir():
        report["bearing"] = bearing_aucs(net, data / "bearing", SPEC)
        metrics["auc_real_bearing_lowest"] = min(report["bearing"].values(), default=0.5)
    if data is not None and (data / "motor").is_dir():
        report["motor"] = motor_aucs(net, data / "motor", SPEC)
        metrics["auc_real_motor_separation"] = report["motor"]["mean_separation"]
    return report, metrics


def _centred(scored: Sequence[ScoredMachine]) -> npt.NDArray[np.float64]:
    """Normal scores relative to each machine's mean: what a device's own threshold sees."""
    return np.concatenate([machine.normal - machine.normal.mean() for machine in scored])


def _centred_faults(scored: Sequence[ScoredMachine]) -> dict[str, npt.NDArray[np.float64]]:
    kinds = scored[0].faulty
    return {
        kind: np.concatenate([machine.faulty[kind] - machine.normal.mean() for machine in scored]) for kind in kinds
    }


def _golden(machines: Sequence[HeardMachine]) -> Float32:
    """The first windows of the first machines, the last one faulty."""
    healthy = [machine.healthy for machine in machines[: GOLDEN_WINDOWS - 1]]
    faulty = next(iter(machines[-1].faulty.values()))
    return np.concatenate([windows_of(frames, SPEC)[:1] for frames in (*healthy, faulty)])


def _examples(
    net: MachineNet, machines: Sequence[HeardMachine], scored: Sequence[ScoredMachine]
) -> tuple[Example, ...]:
    """Windows of machines that were not learned from, as they were heard and as they were rebuilt."""
    groups: dict[str, list[tuple[Float32, npt.NDArray[np.float64]]]] = {"normal": [], "faulty": []}
    for machine, scores in zip(machines, scored, strict=True):
        groups["normal"].append((windows_of(machine.healthy, SPEC), scores.normal))
        groups["faulty"] += [(windows_of(rows, SPEC), scores.faulty[kind]) for kind, rows in machine.faulty.items()]

    def look(title: str, score: float, window: Float32) -> Example:
        with torch.no_grad():
            rebuilt = net.rebuilt(torch.tensor(window[None]))[0].numpy()
        return Example(title, score, window, rebuilt, seconds=SPEC.window_seconds)

    return best_and_worst(groups, look)
