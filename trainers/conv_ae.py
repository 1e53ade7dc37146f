"""The conv-ae recipe: the autoencoders of abnormal_sound_detect, on its features as they were and as they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from schemas.errors import InputError, SettingsError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.conv_ae_front import front_of, spec_of
from trainers.conv_ae_net import ConvAutoencoder, DenseAutoencoder, ErrorScore, Rebuilder, conv_vae, vae_1d
from trainers.conv_ae_weights import load_weights
from trainers.direction import settled
from trainers.epochs import Schedule, fit_epochs
from trainers.evaluate import quantiles_of
from trainers.fitting import repeatable
from trainers.golden import golden_windows
from trainers.loaders.clip import ChannelRule, digest_of
from trainers.loaders.layout import AUTO, load_clips
from trainers.one_class import (
    HeardClip,
    Parts,
    by_machine,
    chosen,
    figures,
    hear,
    parts_of,
    swept,
    window_scores,
    with_generated,
)
from trainers.provenance import training_digest
from trainers.recipe import Example, Float32, Preset, Trained, with_settings
from trainers.torch_model import TorchModel

FEATURES = ("raw", "mel", "log-mel")
FORMS = ("plain", "batchnorm", "vae", "vae-1d", "dense")
MODES = ("correct", "compat")

_CHANNELS: dict[str, ChannelRule] = {"mean": "mean", "first": "first"}


@dataclass(frozen=True, slots=True)
class ConvAeOptions:
    """What may be set.

    Attributes:
        features: ``raw`` (with the form ``dense`` alone), ``mel`` or ``log-mel``.
        form: of the network: ``plain``, as the system's README has it; ``batchnorm``, its later one; ``vae``,
            ``vae-1d``, ``dense``.
        mode: ``correct`` features, or ``compat``: those it computed, see :class:`trainers.conv_ae_front.Compat`.
        seconds: of a window, 1 or 2.
        layout, machine, unit, snr, channel: which clips of the set, and which channel of theirs: ``mean`` or ``first``.
        epochs, batch, rate, patience: see :class:`trainers.epochs.Schedule`.
        hidden: widths of the dense form, separated by commas.
        code: latent numbers of the form ``vae``.
        weights: a published state dict to take instead of training, for the form ``batchnorm``.
    """

    features: str = "log-mel"
    form: str = "batchnorm"
    mode: str = "correct"
    seconds: int = 1
    layout: str = AUTO
    machine: str = ""
    unit: str = ""
    snr: str = ""
    channel: str = "mean"
    epochs: int = 50
    batch: int = 100
    rate: float = 1e-3
    patience: int = 3
    hidden: str = "1024,512"
    code: int = 512
    weights: str = ""


PRESETS: dict[str, Preset] = {"small": {"epochs": 8, "batch": 32, "hidden": "128,64", "code": 32}}


class ConvAeRecipe:
    """See :class:`trainers.recipe.Recipe`. Needs a set of normal clips, and abnormal ones to measure with.

    What is done otherwise than in the system: files are split before they are cut into windows, the threshold is swept
    on clips that are not tested on, and the score's direction is checked. ``level_auc`` says what loudness alone would
    reach; the system's best figure, 98.4 % on loud events against quiet rooms, was mostly that.
    """

    name = "conv-ae"
    summary = "an autoencoder of one or two seconds, from normal clips; those of abnormal_sound_detect"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(ConvAeOptions(), settings, PRESETS)
        _check(options)
        if data is None:
            raise InputError(
                "the conv-ae recipe needs --data: a set of normal clips, say of `tocsin dataset synthesize`"
            )
        spec = spec_of(options.features, options.mode, options.seconds)
        clips = chosen(load_clips(data, options.layout), options.machine, options.unit, options.snr)
        parts = parts_of(clips, seed)
        channel = _CHANNELS[options.channel]
        with repeatable(seed):
            net, losses = _trained(parts, spec, options, channel)
        sweep = with_generated(hear(parts.sweep, spec, channel, "listening to the sweep's clips"), spec, seed)
        test = with_generated(hear(parts.test, spec, channel, "listening to the test's clips"), spec, seed + 1)
        normal = [one for one in sweep if one.clip.label == "normal"]
        plain = TorchModel(net, has_bands=spec.transform == "log_mel", transform=spec.transform)
        model, direction = settled(plain, spec, [one.samples for one in normal], seed)
        threshold, table = swept(*_by_label(sweep, window_scores(model, sweep)))
        scores = window_scores(model, test)
        healthy = np.concatenate(window_scores(model, normal))
        good, bad = _by_label(test, scores)
        measured = {name: round(value, 4) for name, value in figures(test, scores, threshold).items()}
        return Trained(
            name=self.name,
            detector="machine",
            model=model,
            spec=spec,
            calibration=Calibration(
                transfer="relative",
                threshold=round(threshold, 4),
                spread=round(max(float(healthy.std()), 1e-3), 4),
                n=len(healthy),
                quantiles=quantiles_of(healthy),
            ),
            metrics=measured,
            report=_report(options, parts, test, scores, table),
            trained_on=_words(options, parts),
            training_digest=training_digest(digest_of(parts.train), seed),
            golden=golden_windows(spec, seed),
            scores={"normal": good, "abnormal": bad},
            threshold=threshold,
            losses=losses,
            examples=_examples(net, test, scores),
            direction=direction,
        )


def _check(options: ConvAeOptions) -> None:
    for name, known in (("features", FEATURES), ("form", FORMS), ("mode", MODES), ("channel", tuple(_CHANNELS))):
        value = getattr(options, name)
        if value not in known:
            raise SettingsError(f"option {name!r} is {value!r}; there are {', '.join(known)}")
    if options.seconds not in (1, 2):
        raise SettingsError(f"option 'seconds' is {options.seconds}; windows are of 1 or 2 seconds")
    if (options.features == "raw") != (options.form == "dense"):
        raise SettingsError(f"features {options.features!r} with the form {options.form!r}: raw and dense go together")
    if options.weights and (options.form, options.features) != ("batchnorm", "log-mel"):
        raise SettingsError(f"published weights {options.weights!r} are of the form batchnorm on log-mel features")


def _net(spec: FeatureSpec, options: ConvAeOptions) -> Rebuilder:
    decibels = options.features == "log-mel"
    frames = 80 * options.seconds
    if options.form == "dense":
        try:
            hidden = [int(width) for width in options.hidden.split(",")]
        except ValueError:
            raise SettingsError(
                f"option 'hidden' is {options.hidden!r}, which are no widths such as 1024,512"
            ) from None
        return DenseAutoencoder(spec.window_samples, hidden)
    if options.form == "vae":
        return conv_vae(frames, options.code, decibels=decibels)
    if options.form == "vae-1d":
        return vae_1d(frames, decibels=decibels)
    return ConvAutoencoder(normalised=options.form == "batchnorm", decibels=decibels)


def _trained(
    parts: Parts, spec: FeatureSpec, options: ConvAeOptions, channel: ChannelRule
) -> tuple[ErrorScore, dict[str, list[float]]]:
    net = _net(spec, options)
    front = front_of(options.features, options.mode, options.seconds)
    whole = ErrorScore(front, net, decibels=options.features != "log-mel", bands=spec.transform == "log_mel").eval()
    if options.weights:
        load_weights(net, Path(options.weights))
        return whole, {}
    rows, held = (
        _seen(front, hear(clips, spec, channel, f"listening to {len(clips)} clips"))
        for clips in (parts.train, parts.validation)
    )
    schedule = Schedule(options.epochs, options.batch, options.rate, options.patience)
    losses = fit_epochs(net, net.loss, rows, held, schedule, "training")
    return whole, losses


def _seen(front: nn.Module, heard: Sequence[HeardClip]) -> torch.Tensor:
    """What the network is to rebuild, of all windows."""
    with torch.no_grad():
        return torch.cat([front(torch.tensor(one.windows)) for one in heard])


def _by_label(
    heard: Sequence[HeardClip], scores: Sequence[npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    normal = [s for one, s in zip(heard, scores, strict=True) if one.clip.label == "normal"]
    abnormal = [s for one, s in zip(heard, scores, strict=True) if one.clip.label == "abnormal"]
    return np.concatenate(normal), np.concatenate(abnormal)


def _examples(
    net: ErrorScore, test: Sequence[HeardClip], scores: Sequence[npt.NDArray[np.float64]]
) -> tuple[Example, ...]:
    """The windows rebuilt best and worst, of normal clips and of abnormal ones; none of raw sound."""
    shown = []
    for label in ("normal", "abnormal"):
        places = [
            (float(value), number, window)
            for number, (one, values) in enumerate(zip(test, scores, strict=True))
            if one.clip.label == label
            for window, value in enumerate(values)
        ]
        for what, (value, number, window) in (("best", min(places)), ("worst", max(places))):
            heard, rebuilt = _looked_at(net, test[number].windows[window])
            if heard.ndim == 2:
                shown.append(Example(f"{label}, {what}", value, heard.T, rebuilt.T))
    return tuple(shown)


def _looked_at(net: ErrorScore, window: Float32) -> tuple[Float32, Float32]:
    with torch.no_grad():
        x = net.front(torch.tensor(window[None]))
        return x[0].numpy(), net.net.rebuilt(x)[0].numpy()


def _report(
    options: ConvAeOptions,
    parts: Parts,
    test: Sequence[HeardClip],
    scores: Sequence[npt.NDArray[np.float64]],
    table: list[dict[str, float]],
) -> dict[str, Any]:
    return {
        "options": asdict(options) | {"weights": Path(options.weights).name},
        "clips": {name: len(getattr(parts, name)) for name in ("train", "validation", "sweep", "test")},
        "generated_anomalies": any("generated" in one.clip.details for one in test),
        "machines": by_machine(test, scores),
        "threshold_sweep": [{name: round(value, 4) for name, value in row.items()} for row in table],
    }


def _words(options: ConvAeOptions, parts: Parts) -> str:
    if options.weights:
        name = Path(options.weights).name
        return f"weights published by abnormal_sound_detect ({name}); threshold from {len(parts.sweep)} clips"
    machines = sorted({clip.machine for clip in parts.train if clip.machine})
    return f"{len(parts.train)} normal clips" + (f" of {', '.join(machines)}" if machines else "")
