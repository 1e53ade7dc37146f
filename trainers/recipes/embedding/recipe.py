"""The embedding recipe: an embedding trained to classify devices, and a memory bank of each device's own sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from schemas.errors import EmptyAudio, InputError, SettingsError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.evaluation.direction import Direction, ensure_score_direction
from trainers.evaluation.examples import MakeExample, best_and_worst
from trainers.evaluation.metrics import quantiles_of
from trainers.example import Example
from trainers.export.golden import golden_windows
from trainers.export.provenance import training_digest
from trainers.export.torch_model import TorchModel
from trainers.recipe import Float32, Trained
from trainers.recipes.embedding.batches import DeviceBatches
from trainers.recipes.embedding.data import (
    TrainingDevice,
    load_devices,
    synthetic_devices,
    windows_and_recordings,
    with_whole_windows,
)
from trainers.recipes.embedding.memory_bank import MIN_WINDOWS
from trainers.recipes.embedding.model import MemoryBankNet, views_of
from trainers.recipes.embedding.network import EmbeddingNet
from trainers.recipes.embedding.options import EmbeddingOptions
from trainers.recipes.embedding.quality import fault_aucs, folds_of, memory_bank_of, pair_aucs
from trainers.training.adacos import SubclusterAdaCos
from trainers.training.loop import fit, repeatable

_MIN_DEVICES = 3


class EmbeddingRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Devices of one type are examples of abnormal sound for each other. The embedding is trained to classify them
    (together with synthetic machines, and all of them shifted in pitch), and a device's score is the distance of a
    window's embedding, and of its loud and quiet phases, from the device's own normal sound. Needs normal sound of at
    least one device; sound labelled abnormal is used for measuring.
    """

    name = "embedding"
    summary = "many devices of a type: an embedding that tells them apart, a memory bank of each; needs recordings"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = EmbeddingOptions.parse(settings)
        if data is None:
            raise InputError(
                "the embedding recipe needs --data: a folder of normal sound of one device or, better, many"
            )
        spec = spec_of(options.seconds)
        loaded, digests = load_devices(data, spec)
        devices, too_short = with_whole_windows(loaded, spec)
        chosen = _select_device(devices, options.device, spec)
        uses_embedding = options.embedding == "yes" or (options.embedding == "auto" and len(devices) >= _MIN_DEVICES)
        others = synthetic_devices(seed, options.synthetic, 2.0 * options.seconds, spec) if uses_embedding else []
        report: dict[str, Any] = {
            "options": options.model_dump(),
            "device": chosen.name,
            "devices": len(devices),
            "recordings_too_short": too_short,
        }
        embedding, losses = None, {}
        if uses_embedding:
            embedding, losses["training"] = train_embedding([*devices, *others], spec, seed, options)
        memory_bank = memory_bank_of(chosen.normal, embedding, spec)
        report["auc_by_device"] = fault_aucs(devices, embedding, spec, seed)
        if options.pairs != "no":

            def train_on(subset: Sequence[TrainingDevice]) -> EmbeddingNet | None:
                return train_embedding([*subset, *others], spec, seed, options)[0] if uses_embedding else None

            report["pairs"] = pair_aucs(devices, train_on, spec, seed, blocks=options.pairs == "blocks")
        windows = _windows(devices, chosen, spec)
        other_scores = {
            name: memory_bank.score(views_of(group, embedding)) for name, group in windows.items() if name != "normal"
        }
        scores = {"normal": memory_bank.held_out, **other_scores}
        threshold = round(float(np.quantile(memory_bank.held_out, 0.999)), 4)
        return Trained(
            name=self.name,
            detector="machine",
            model=TorchModel(MemoryBankNet(embedding, memory_bank).eval()),
            spec=spec,
            calibration=Calibration(
                transfer="relative",
                threshold=threshold,
                spread=round(max(float(memory_bank.held_out.std()), 1e-3), 4),
                n=len(memory_bank.held_out),
                quantiles=quantiles_of(memory_bank.held_out),
            ),
            metrics=_metrics(report),
            report=report,
            trained_on=_trained_on(devices, chosen, options.synthetic, uses_embedding=uses_embedding),
            training_digest=training_digest(digests, seed),
            golden=golden_windows(spec, seed),
            scores=scores,
            threshold=threshold,
            losses=losses,
            examples=best_and_worst({name: [(windows[name], scores[name])] for name in windows}, _example_maker(spec)),
            direction=direction_of(chosen, embedding, spec, seed),
        )


def spec_of(seconds: float) -> FeatureSpec:
    """Windows of a length in seconds, half overlapping, with the frames of all shipped models.

    Raises:
        SettingsError: out of range.
    """
    default = FeatureSpec(n_frames=1, window_hop=1)
    frames = int((seconds * default.sample_rate - default.n_fft) / default.hop) + 1
    if not 48 <= frames <= 1_000:
        raise SettingsError(f"option 'seconds' is {seconds:g}; it must be 1.1 to 20")
    return FeatureSpec(n_frames=frames, window_hop=max(frames // 2, 1))


def train_embedding(
    devices: Sequence[TrainingDevice], spec: FeatureSpec, seed: int, options: EmbeddingOptions
) -> tuple[EmbeddingNet, list[float]]:
    """Trains an embedding to classify devices; returns it and its loss at each step.

    Args:
        devices: with normal recordings.
        spec, options: as of the recipe.
        seed: the same seed gives the same embedding.
    """
    with repeatable(seed):
        batches = DeviceBatches(devices, spec, seed, options.batch)
        net = EmbeddingNet(spec.n_mels, options.width, options.size)
        loss = SubclusterAdaCos(options.size, batches.classes)

        def batch_loss() -> torch.Tensor:
            windows, shares = batches.draw()
            value: torch.Tensor = loss(net(windows), shares)
            return value

        # Centres and scale of the loss are part of a checkpoint.
        both = nn.ModuleList([net, loss])
        losses = fit(both, batch_loss, options.steps, options.rate, "training", (batches.generator,))
    return net, losses


def direction_of(device: TrainingDevice, embedding: EmbeddingNet | None, spec: FeatureSpec, seed: int) -> Direction:
    """Effect of generated anomalies on the scores of held-out recordings, a quarter of the device's.

    With too few recordings for that, the memory bank's own recordings are used.

    Raises:
        ScoreInverted: they score below normal sound.
    """
    folds = folds_of(device.normal, seed)
    training, held_out = folds[0]
    counts = [len(windows_and_recordings(part, spec)[0]) for part in (training, held_out)]
    if len(folds) < 2 or counts[0] < MIN_WINDOWS or not counts[1]:
        training = held_out = device.normal
    model = TorchModel(MemoryBankNet(embedding, memory_bank_of(training, embedding, spec)).eval())
    sound = [one.samples() for one in held_out if one.samples is not None]
    # The trained model has another memory bank, with another usual score: a two-sided score is impossible.
    return ensure_score_direction(model, spec, sound, seed, two_sided=False)[1]


def _windows(devices: Sequence[TrainingDevice], chosen: TrainingDevice, spec: FeatureSpec) -> dict[str, Float32]:
    """Windows to score for the pictures; without faulty recordings other devices serve as anomalies."""
    others = [one for device in devices if device is not chosen for one in device.normal]
    anomalous = {"abnormal": chosen.abnormal} if chosen.abnormal else {"other devices": others}
    groups = {"normal": chosen.normal, **anomalous}
    windows_by_group = {name: windows_and_recordings(group, spec)[0] for name, group in groups.items()}
    return {name: windows for name, windows in windows_by_group.items() if len(windows)}


def _example_maker(spec: FeatureSpec) -> MakeExample:
    return lambda title, score, window: Example(title, score, window, seconds=spec.window_seconds)


def _select_device(devices: Sequence[TrainingDevice], name: str, spec: FeatureSpec) -> TrainingDevice:
    by_name = {device.name: device for device in devices if device.normal}
    name = name or next(iter(by_name))
    if name not in by_name:
        raise SettingsError(f"no device {name!r}; there are {', '.join(by_name)}")
    windows = len(windows_and_recordings(by_name[name].normal, spec)[0])
    if windows < MIN_WINDOWS:
        raise EmptyAudio(
            f"{name} has {windows} windows of {spec.window_seconds:.2f} s of normal sound; at least {MIN_WINDOWS} are"
            " needed: give more, choose shorter windows, or another device"
        )
    return by_name[name]


def _metrics(report: Mapping[str, Any]) -> dict[str, float]:
    metrics = {}
    if report["auc_by_device"]:
        metrics["auc_mean"] = round(float(np.mean(list(report["auc_by_device"].values()))), 4)
        metrics["auc_lowest"] = min(report["auc_by_device"].values())
    for views in [name for name in report.get("pairs", {}) if name != "pairs"]:
        metrics[f"pairs_{views}_mean"] = report["pairs"][views]["mean"]
        metrics[f"pairs_{views}_worst"] = report["pairs"][views]["worst"]
    return metrics


def _trained_on(
    devices: Sequence[TrainingDevice], chosen: TrainingDevice, synthetic: int, *, uses_embedding: bool
) -> str:
    own = f"{len(chosen.normal)} normal recordings of {chosen.name}"
    if not uses_embedding:
        return own
    normal = sum(len(device.normal) for device in devices)
    return f"{own}; its embedding on {normal} of {len(devices)} devices and on {synthetic} synthetic machines"
