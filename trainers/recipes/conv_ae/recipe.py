"""The conv-ae recipe: the autoencoders of abnormal_sound_detect, on its features as they were and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from schemas.features import FeatureSpec
from trainers.data.loaders.clip import Clip
from trainers.evaluation.examples import MakeExample
from trainers.example import Example
from trainers.recipe import Float32
from trainers.recipes.conv_ae.features import FRAMES_PER_SECOND, N_FFT, SAMPLE_RATE, front_of, spec_of
from trainers.recipes.conv_ae.network import ConvAeScore, ConvAutoencoder, DenseAutoencoder, conv_vae, vae_1d
from trainers.recipes.conv_ae.options import ConvAeOptions
from trainers.recipes.conv_ae.weights import load_weights
from trainers.recipes.one_class.data import ClipSplit, read_windows
from trainers.recipes.one_class.network import Autoencoder
from trainers.recipes.one_class.training import OneClassRecipe, normal_clips_of

_MIN_POWER = 1e-10


class ConvAeRecipe(OneClassRecipe[ConvAeOptions, ConvAeScore]):
    """See :class:`trainers.recipe.Recipe`. Needs a set of normal clips, and abnormal ones to measure with.

    Differences from the system: files are split before they are cut into windows, the threshold is swept on clips that
    are not tested on, and the score's direction is checked. ``level_auc`` says what loudness alone would reach; the
    system's best figure, 98.4 % on loud events against quiet rooms, was mostly that.
    """

    name = "conv-ae"
    summary = "an autoencoder of one or two seconds, from normal clips; those of abnormal_sound_detect"
    options_type = ConvAeOptions

    def spec(self, options: ConvAeOptions) -> FeatureSpec:
        """See :class:`OneClassRecipe`."""
        return spec_of(options.features, options.mode, options.seconds)

    def build(self, options: ConvAeOptions) -> ConvAeScore:
        """See :class:`OneClassRecipe`."""
        net = _network(options)
        front = front_of(options.features, options.mode, options.seconds)
        bands = self.spec(options).transform == "log_mel"
        return ConvAeScore(front, net, decibels=options.features != "log-mel", bands=bands).eval()

    def load_weights(self, score: ConvAeScore, path: Path) -> None:
        """See :class:`OneClassRecipe`."""
        load_weights(score.net, path)

    def network_input(self, score: ConvAeScore, clips: Sequence[Clip], options: ConvAeOptions) -> torch.Tensor:
        """See :class:`OneClassRecipe`."""
        windowed = read_windows(clips, self.spec(options), options.channel, f"reading {len(clips)} clips")
        with torch.no_grad():
            return torch.cat([score.front(torch.tensor(one.windows)) for one in windowed])

    def trained_on(self, options: ConvAeOptions, split: ClipSplit) -> str:
        """See :class:`OneClassRecipe`."""
        if options.weights:
            name = Path(options.weights).name
            return f"weights published by abnormal_sound_detect ({name}); threshold from {len(split.sweep)} clips"
        return normal_clips_of(split)

    def example_maker(self, score: ConvAeScore, options: ConvAeOptions) -> MakeExample:
        """See :class:`OneClassRecipe`."""
        seconds = self.spec(options).window_seconds

        def example_of(title: str, value: float, window: Float32) -> Example:
            with torch.no_grad():
                x = score.front(torch.tensor(window[None]))
                features, reconstruction = (one[0].numpy() for one in (x, score.net.reconstruct(x)))
            if options.features == "raw":
                features, reconstruction = _spectrum(features), _spectrum(reconstruction)
                columns = f"bin of {SAMPLE_RATE // N_FFT} Hz"
                return Example(title, value, features, reconstruction, columns, seconds=seconds)
            unit = "dB" if options.features == "log-mel" else "power"
            return Example(title, value, features.T, reconstruction.T, unit=unit, seconds=seconds)

        return example_of


def _network(options: ConvAeOptions) -> Autoencoder:
    decibels = options.features == "log-mel"
    frames = FRAMES_PER_SECOND * options.seconds
    if options.form == "dense":
        return DenseAutoencoder(spec_of(options.features, options.mode, options.seconds).window_samples, options.widths)
    if options.form == "vae":
        return conv_vae(frames, options.code, decibels=decibels)
    if options.form == "vae-1d":
        return vae_1d(frames, decibels=decibels)
    return ConvAutoencoder(normalised=options.form == "batchnorm", decibels=decibels)


def _spectrum(samples: Float32) -> Float32:
    """Decibels of power of samples (n,), for the pictures, float32 (frames, 201)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[:: N_FFT // 2] * np.hanning(N_FFT)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    return np.asarray(10.0 * np.log10(power + _MIN_POWER), dtype=np.float32)
