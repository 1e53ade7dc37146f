"""The machine recipe: an autoencoder trained on many synthetic machines and on what faults do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from trainers.recipe import Float32, Trained
from trainers.recipes.machine.batches import MachineBatches
from trainers.recipes.machine.data import MachineFrames, synthetic_machines
from trainers.recipes.machine.network import MachineNet
from trainers.recipes.machine.options import MachineOptions
from trainers.recipes.machine.quality import (
    ScoredMachine,
    auc_by_fault,
    bearing_aucs,
    detected_by_fault,
    motor_aucs,
    score_machines,
    spread_of,
)
from trainers.training.loop import fit, repeatable

SPEC = FeatureSpec(n_frames=96, window_hop=48)

_TRAINING_SEVERITY_DB = (-12.0, 3.0)
_TRAINING_FAULTS, _TEST_FAULTS = 2, 5
_TEST_SEVERITIES_DB = (-6.0, 0.0)
_HELD_OUT_SEED = 1_000_003
_DIRECTION_MACHINES = 6
# Spreads above a device's own mean at which serving sets the threshold after half a minute.
_MARGIN = 7.5
# Brings the loss of a window, in dB^2, to about one.
_LOSS_SCALE = 0.01


class MachineRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Trains on synthetic machines alone: denoising autoencoding (Vincent et al., ICML 2008) in which the noise is a
    fault, so that the network removes, and the error measures, what a healthy machine does not emit. Without faults
    the direction of the score is wrong: noise is reconstructed better than tones, and trained on healthy sound alone
    the same network scored cavitation and rub below healthy sound (AUC .13 and .18 at 0 dB on 36 held-out machines,
    against .97 and .98; the latter without bearing faults and leaks in training, which it detected at .96 and .98).

    Recordings, if given, are for measuring: ``bearing/*.npz`` and ``motor/*`` below the data folder.
    """

    name = "machine"
    summary = "machines: an autoencoder on windows of two seconds; trains on synthetic machines"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = MachineOptions.parse(settings)
        machines = synthetic_machines(
            seed_of(seed, 0), options.machines, SPEC, options.seconds, _TRAINING_SEVERITY_DB, _TRAINING_FAULTS
        )
        net, losses = _fit(machines, seed, options)
        held_out = {severity: _held_out_machines(seed, options, severity) for severity in _TEST_SEVERITIES_DB}
        measured = {severity: score_machines(net, frames, SPEC) for severity, frames in held_out.items()}
        strong = measured[_TEST_SEVERITIES_DB[-1]]
        normal = np.concatenate([machine.normal for machine in strong])
        report, metrics = _report(net, measured, data, options)
        model = TorchModel(net, has_bands=True)
        # One model scores many machines, which have no common usual score: a two-sided score is impossible.
        _, direction = ensure_score_direction(model, SPEC, _held_out_audio(seed, options), seed, two_sided=False)
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
            examples=_examples(net, held_out[_TEST_SEVERITIES_DB[-1]], strong),
            direction=direction,
        )


def _fit(machines: Sequence[MachineFrames], seed: int, options: MachineOptions) -> tuple[MachineNet, list[float]]:
    with repeatable(seed):
        net = MachineNet(options.width, options.code, options.smooth)
        batches = MachineBatches(machines, SPEC, seed, options.batch, options.faulty_share)

        def loss() -> torch.Tensor:
            inputs, targets = batches.draw()
            error = (targets - net.reconstruct(inputs)).transpose(1, 2)
            # Fine detail cannot be predicted; what lasts for some frames can, and that is scored.
            return _LOSS_SCALE * (0.5 * error.square().mean() + avg_pool1d(error, options.smooth).square().mean())

        losses = fit(net, loss, options.steps, options.rate, "training", (batches.rng,))
    return net, losses


def _held_out_machines(seed: int, options: MachineOptions, severity_db: float) -> list[MachineFrames]:
    """Machines not trained on, the same ones at every severity."""
    return synthetic_machines(
        seed_of(seed, _HELD_OUT_SEED),
        options.held_out,
        SPEC,
        options.held_out_seconds,
        (severity_db, severity_db),
        _TEST_FAULTS,
    )


def _held_out_audio(seed: int, options: MachineOptions) -> list[Float32]:
    """Sound of healthy machines not trained on, float32 (n,) each."""
    n = int(options.held_out_seconds * SAMPLE_RATE)
    seeds = [seed_of(seed_of(seed, _HELD_OUT_SEED), number) for number in range(_DIRECTION_MACHINES)]
    return [random_machine(one).sound.at(0, n).astype(np.float32) for one in seeds]


def _report(
    net: MachineNet, measured: Mapping[float, Sequence[ScoredMachine]], data: Path | None, options: MachineOptions
) -> tuple[dict[str, Any], dict[str, float]]:
    """Further figures, and the manifest's metrics."""
    report: dict[str, Any] = {"options": options.model_dump()}
    metrics: dict[str, float] = {}
    for severity, scored in measured.items():
        table = auc_by_fault(scored)
        report[f"auc_at_{severity:g}_db"] = table
        report[f"found_at_{severity:g}_db"] = detected_by_fault(scored, _MARGIN)
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


def _golden(machines: Sequence[MachineFrames]) -> Float32:
    """The first windows of the first machines, the last one faulty."""
    healthy = [machine.healthy for machine in machines[: GOLDEN_WINDOWS - 1]]
    faulty = next(iter(machines[-1].faulty.values()))
    return np.concatenate([windows_of(frames, SPEC)[:1] for frames in (*healthy, faulty)])


def _examples(
    net: MachineNet, machines: Sequence[MachineFrames], scored: Sequence[ScoredMachine]
) -> tuple[Example, ...]:
    """Windows of machines not trained on, and their reconstructions."""
    groups: dict[str, list[tuple[Float32, npt.NDArray[np.float64]]]] = {"normal": [], "faulty": []}
    for machine, scores in zip(machines, scored, strict=True):
        groups["normal"].append((windows_of(machine.healthy, SPEC), scores.normal))
        groups["faulty"] += [(windows_of(rows, SPEC), scores.faulty[kind]) for kind, rows in machine.faulty.items()]

    def example_of(title: str, score: float, window: Float32) -> Example:
        with torch.no_grad():
            reconstruction = net.reconstruct(torch.tensor(window[None]))[0].numpy()
        return Example(title, score, window, reconstruction, seconds=SPEC.window_seconds)

    return best_and_worst(groups, example_of)
