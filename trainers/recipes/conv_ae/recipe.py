"""The conv-ae recipe: the autoencoders of abnormal_sound_detect, on its features as they were and as they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from schemas.errors import InputError, SettingsError
from schemas.features import FeatureSpec
from trainers.data.loaders.clip import ChannelRule
from trainers.data.loaders.layout import AUTO, load_clips
from trainers.data.synthetic_set import is_synthetic
from trainers.example import Example
from trainers.export.torch_model import TorchModel
from trainers.recipe import Float32, Preset, Trained, with_settings
from trainers.recipes.conv_ae.features import N_FFT, SAMPLE_RATE, front_of, spec_of
from trainers.recipes.conv_ae.network import ConvAutoencoder, DenseAutoencoder, ErrorScore, Rebuilder, conv_vae, vae_1d
from trainers.recipes.conv_ae.weights import load_weights
from trainers.recipes.one_class.clips import HeardClip, Parts, chosen, hear, parts_of
from trainers.recipes.one_class.trained import TrainedDetector, finalise, hear_judged, machines_in
from trainers.training.epochs import Schedule, fit_epochs
from trainers.training.loop import repeatable

FEATURES = ("raw", "mel", "log-mel")
FORMS = ("plain", "batchnorm", "vae", "vae-1d", "dense")
MODES = ("correct", "compat")

_CHANNELS: dict[str, ChannelRule] = {"mean": "mean", "first": "first"}
_LEAST_POWER = 1e-10


@dataclass(frozen=True, slots=True)
class ConvAeOptions:
    """What may be set.

    Attributes:
        features: ``raw`` (with the form ``dense`` alone), ``mel`` or ``log-mel``.
        form: of the network: ``plain``, as the system's README has it; ``batchnorm``, its later one; ``vae``,
            ``vae-1d``, ``dense``.
        mode: ``correct`` features, or ``compat``: those it computed, see
            :class:`trainers.recipes.conv_ae.features.Compat`.
        seconds: of a window, 1 or 2.
        layout, machine, unit, snr, channel: which clips of the set, and which channel of theirs: ``mean`` or ``first``.
        epochs, batch, rate, patience, least_steps: see :class:`trainers.training.epochs.Schedule`.
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
    least_steps: int = 1_000
    hidden: str = "1024,512"
    code: int = 512
    weights: str = ""


PRESETS: dict[str, Preset] = {"small": {"epochs": 8, "batch": 32, "least_steps": 300, "hidden": "128,64", "code": 32}}


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
        judged = hear_judged(parts, spec, channel, seed)
        with repeatable(seed):
            net, losses = _trained(parts, spec, options, channel)
        model = TorchModel(net, has_bands=spec.transform == "log_mel", transform=spec.transform)

        def look(title: str, score: float, window: Float32) -> Example:
            with torch.no_grad():
                x = net.front(torch.tensor(window[None]))
                heard, rebuilt = (one[0].numpy() for one in (x, net.net.rebuilt(x)))
            if options.features == "raw":
                heard, rebuilt = _spectrum(heard), _spectrum(rebuilt)
                return Example(
                    title, score, heard, rebuilt, f"bin of {SAMPLE_RATE // N_FFT} Hz", seconds=spec.window_seconds
                )
            unit = "dB" if options.features == "log-mel" else "power"
            return Example(title, score, heard.T, rebuilt.T, unit=unit, seconds=spec.window_seconds)

        learned = TrainedDetector(
            name=self.name,
            model=model,
            spec=spec,
            parts=parts,
            judged=judged,
            losses=losses,
            synthetic=is_synthetic(data),
            options=asdict(options) | {"weights": Path(options.weights).name},
            words=_words(options, parts),
            look=look,
        )
        return finalise(learned, seed)


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
    if isinstance(net, ConvAutoencoder):
        net.begin_at(rows)
    schedule = Schedule(options.epochs, options.batch, options.rate, options.patience, options.least_steps)
    losses = fit_epochs(net, net.loss, rows, held, schedule, "training")
    return whole, losses


def _seen(front: nn.Module, heard: Sequence[HeardClip]) -> torch.Tensor:
    """What the network is to rebuild, of all windows."""
    with torch.no_grad():
        return torch.cat([front(torch.tensor(one.windows)) for one in heard])


def _spectrum(samples: Float32) -> Float32:
    """Decibels of power of samples (n,), to look at, float32 (frames, 201)."""
    pieces = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[:: N_FFT // 2] * np.hanning(N_FFT)
    power = np.square(np.abs(np.fft.rfft(pieces, axis=1)))
    return np.asarray(10.0 * np.log10(power + _LEAST_POWER), dtype=np.float32)


def _words(options: ConvAeOptions, parts: Parts) -> str:
    if options.weights:
        name = Path(options.weights).name
        return f"weights published by abnormal_sound_detect ({name}); threshold from {len(parts.sweep)} clips"
    return machines_in(parts)
