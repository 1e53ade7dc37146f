"""The fleet recipe: an embedding that has learned to tell many devices apart, and a bank of each device's own sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from trainers.recipe import Float32, Trained, with_settings
from trainers.recipes.embedding.batches import FleetBatches
from trainers.recipes.embedding.data import Device, lasting, load_devices, synthetic_devices, windows_and_recordings
from trainers.recipes.embedding.memory_bank import LEAST_WINDOWS
from trainers.recipes.embedding.model import FleetNet, views_of
from trainers.recipes.embedding.network import EmbeddingNet
from trainers.recipes.embedding.quality import fault_aucs, folds_of, memory_bank_of, pair_aucs
from trainers.training.adacos import SubclusterAdaCos
from trainers.training.loop import fit, repeatable

_ENOUGH_DEVICES = 3
_PRESETS: dict[str, dict[str, int | float | str]] = {"small": {"steps": 120, "synthetic": 12}}


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What may be set.

    Attributes:
        device: the one the model is for, by its name in the report; empty takes the first.
        seconds: of a window; a recording that holds none is left out, the device must have six.
        embedding: ``yes``, ``no`` for a bank of phases alone, which needs no training, or ``auto``: where there are
            three devices at least.
        pairs: ``yes`` measures each device against each other with embeddings that met neither, ``blocks`` does so
            with the held-out recordings of a device in one piece of time.
        synthetic: machines made to learn from besides, one recording each.
        steps, batch, rate: of the embedding's training.
        width, size: see :class:`trainers.recipes.embedding.network.EmbeddingNet`.
    """

    device: str = ""
    seconds: float = 5.96
    embedding: str = "auto"
    pairs: str = "no"
    synthetic: int = 40
    steps: int = 500
    batch: int = 24
    rate: float = 0.003
    width: int = 12
    size: int = 48


class FleetRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Devices of one type lend each other what none of them has: examples of what is not it. The embedding is trained to
    tell them apart (and machines that were made, and all of them moved in pitch), and a device's score is how far a
    window's embedding, and its loud and quiet phases, lie from the device's own normal sound. Needs normal sound of one
    device at least; what is labelled abnormal is for measuring.
    """

    name = "fleet"
    summary = "many devices of a type: an embedding that tells them apart, a bank of each one's sound; needs recordings"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(FleetOptions(), settings, _PRESETS)
        for name, texts in (("embedding", ("yes", "no", "auto")), ("pairs", ("yes", "blocks", "no"))):
            if getattr(options, name) not in texts:
                raise SettingsError(f"option {name!r} is {getattr(options, name)!r}; {', '.join(texts)} are read")
        if data is None:
            raise InputError("the fleet recipe needs --data: a folder of normal sound of one device or, better, many")
        spec = spec_of(options.seconds)
        loaded, digests = load_devices(data, spec)
        devices, too_short = lasting(loaded, spec)
        chosen = _chosen(devices, options.device, spec)
        embeds = options.embedding == "yes" or (options.embedding == "auto" and len(devices) >= _ENOUGH_DEVICES)
        others = synthetic_devices(seed, options.synthetic, 2.0 * options.seconds, spec) if embeds else []
        report: dict[str, Any] = {
            "options": asdict(options),
            "device": chosen.name,
            "devices": len(devices),
            "recordings_too_short": too_short,
        }
        embedding, losses = None, {}
        if embeds:
            embedding, losses["training"] = train_embedding([*devices, *others], spec, seed, options)
        bank = memory_bank_of(chosen.normal, embedding, spec)
        report["auc_by_device"] = fault_aucs(devices, embedding, spec, seed)
        if options.pairs != "no":

            def without(rest: Sequence[Device]) -> EmbeddingNet | None:
                return train_embedding([*rest, *others], spec, seed, options)[0] if embeds else None

            report["pairs"] = pair_aucs(devices, without, spec, seed, blocks=options.pairs == "blocks")
        windows = _windows(devices, chosen, spec)
        others_scores = {
            name: bank.score(views_of(one, embedding)) for name, one in windows.items() if name != "normal"
        }
        scores = {"normal": bank.held_out, **others_scores}
        threshold = round(float(np.quantile(bank.held_out, 0.999)), 4)
        return Trained(
            name=self.name,
            detector="machine",
            model=TorchModel(FleetNet(embedding, bank).eval()),
            spec=spec,
            calibration=Calibration(
                transfer="relative",
                threshold=threshold,
                spread=round(max(float(bank.held_out.std()), 1e-3), 4),
                n=len(bank.held_out),
                quantiles=quantiles_of(bank.held_out),
            ),
            metrics=_metrics(report),
            report=report,
            trained_on=_words(devices, chosen, options.synthetic, embeds=embeds),
            training_digest=training_digest(digests, seed),
            golden=golden_windows(spec, seed),
            scores=scores,
            threshold=threshold,
            losses=losses,
            examples=best_and_worst({name: [(windows[name], scores[name])] for name in windows}, _look(spec)),
            direction=direction_of(chosen, embedding, spec, seed),
        )


def spec_of(seconds: float) -> FeatureSpec:
    """Windows of so many seconds, half overlapping, of the frames that all shipped models share.

    Raises:
        SettingsError: out of range.
    """
    plain = FeatureSpec(n_frames=1, window_hop=1)
    frames = int((seconds * plain.sample_rate - plain.n_fft) / plain.hop) + 1
    if not 48 <= frames <= 1_000:
        raise SettingsError(f"option 'seconds' is {seconds:g}; windows of 1.1 to 20 s are made")
    return FeatureSpec(n_frames=frames, window_hop=max(frames // 2, 1))


def train_embedding(
    devices: Sequence[Device], spec: FeatureSpec, seed: int, options: FleetOptions
) -> tuple[EmbeddingNet, list[float]]:
    """An embedding that tells devices apart, and its loss at each step.

    Args:
        devices: with normal recordings.
        spec, options: as of the recipe.
        seed: the same one gives the same embedding.
    """
    with repeatable(seed):
        batches = FleetBatches(devices, spec, seed, options.batch)
        net = EmbeddingNet(spec.n_mels, options.width, options.size)
        loss = SubclusterAdaCos(options.size, batches.classes)

        def drawn() -> torch.Tensor:
            windows, shares = batches.draw()
            value: torch.Tensor = loss(net(windows), shares)
            return value

        # Centres and scale belong to where a run stands.
        both = nn.ModuleList([net, loss])
        losses = fit(both, drawn, options.steps, options.rate, "training", (batches.generator,))
    return net, losses


def direction_of(device: Device, embedding: EmbeddingNet | None, spec: FeatureSpec, seed: int) -> Direction:
    """What generated anomalies do to scores of recordings that a bank has not met: a quarter of the device's.

    A device that has too few recordings for that is asked about its own.

    Raises:
        ScoreInverted: they score below normal sound.
    """
    folds = folds_of(device.normal, seed)
    learned, held_out = folds[0]
    counts = [len(windows_and_recordings(part, spec)[0]) for part in (learned, held_out)]
    if len(folds) < 2 or counts[0] < LEAST_WINDOWS or not counts[1]:
        learned = held_out = device.normal
    probe = TorchModel(FleetNet(embedding, memory_bank_of(learned, embedding, spec)).eval())
    sound = [one.sound() for one in held_out if one.sound is not None]
    # The bank that is kept is another one: there is no usual score to be two-sided about.
    return ensure_score_direction(probe, spec, sound, seed, two_sided=False)[1]


def _windows(devices: Sequence[Device], chosen: Device, spec: FeatureSpec) -> dict[str, Float32]:
    """Windows to score for the pictures: of a device without a fault the other devices' stand for what is wrong."""
    others = [one for device in devices if device is not chosen for one in device.normal]
    wrong = {"abnormal": chosen.abnormal} if chosen.abnormal else {"other devices": others}
    groups = {"normal": chosen.normal, **wrong}
    found = {name: windows_and_recordings(heard, spec)[0] for name, heard in groups.items()}
    return {name: windows for name, windows in found.items() if len(windows)}


def _look(spec: FeatureSpec) -> MakeExample:
    return lambda title, score, window: Example(title, score, window, seconds=spec.window_seconds)


def _chosen(devices: Sequence[Device], name: str, spec: FeatureSpec) -> Device:
    found = {device.name: device for device in devices if device.normal}
    name = name or next(iter(found))
    if name not in found:
        raise SettingsError(f"no device {name!r}; there are {', '.join(found)}")
    windows = len(windows_and_recordings(found[name].normal, spec)[0])
    if windows < LEAST_WINDOWS:
        raise EmptyAudio(
            f"{name} has {windows} windows of {spec.window_seconds:.2f} s of normal sound; at least {LEAST_WINDOWS} are"
            " needed: give more, take shorter windows, or choose another device"
        )
    return found[name]


def _metrics(report: Mapping[str, Any]) -> dict[str, float]:
    metrics = {}
    if report["auc_by_device"]:
        metrics["auc_mean"] = round(float(np.mean(list(report["auc_by_device"].values()))), 4)
        metrics["auc_lowest"] = min(report["auc_by_device"].values())
    for by in [name for name in report.get("pairs", {}) if name != "pairs"]:
        metrics[f"pairs_{by}_mean"] = report["pairs"][by]["mean"]
        metrics[f"pairs_{by}_worst"] = report["pairs"][by]["worst"]
    return metrics


def _words(devices: Sequence[Device], chosen: Device, synthetic: int, *, embeds: bool) -> str:
    own = f"{len(chosen.normal)} normal recordings of {chosen.name}"
    if not embeds:
        return own
    normal = sum(len(device.normal) for device in devices)
    return f"{own}; its embedding on {normal} of {len(devices)} devices and on {synthetic} synthetic machines"
