"""Training of the leak recipe's networks."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from trainers.recipes.leak.anomalies import KINDS, SOUND_KINDS, change_image, change_sound
from trainers.recipes.leak.features import SPEC, LeakFeatures
from trainers.recipes.leak.model import Autoencoder
from trainers.recipes.leak.network import ConvAutoencoder, DenseVae, Extractor
from trainers.training.loop import fit

Float32 = npt.NDArray[np.float32]

AutoencoderName = Literal["conv-ae", "vae", "beta-vae-h", "beta-vae-b"]
AUTOENCODERS: tuple[AutoencoderName, ...] = get_args(AutoencoderName)

_BETA = 4.0
_STATISTICS_WINDOWS, _STATISTICS_BATCH = 96, 16
_GAMMA, _CAPACITY = 1_000.0, 25.0


def train_extractor(
    extractor: Extractor, features: LeakFeatures, windows: Float32, seed: int, steps: int, batch: int, rate: float
) -> list[float]:
    """Trains to tell normal sound from anomalies generated from it; returns the loss of each step.

    Args:
        extractor: of images.
        features: compute them.
        windows: normal ones, float32 (n, n_frames, n_fft).
        seed: of windows and anomalies.
        steps, batch, rate: of the run; half of a batch is anomalous.
    """
    generator = np.random.default_rng(seed)

    def batch_loss() -> torch.Tensor:
        indices = generator.integers(len(windows), size=batch)
        labels = np.arange(batch) % 2
        images = [
            _image(features, windows[index], generator, anomalous=bool(label))
            for index, label in zip(indices, labels, strict=True)
        ]
        logits = extractor.logit(torch.from_numpy(np.stack(images)).unsqueeze(1))
        return binary_cross_entropy_with_logits(logits, torch.from_numpy(labels.astype(np.float32)))

    losses = fit(extractor, batch_loss, steps, rate, "training the extractor", (generator,))
    _recompute_statistics(extractor, features, windows, generator)
    return losses


def _recompute_statistics(
    extractor: Extractor, features: LeakFeatures, windows: Float32, generator: np.random.Generator
) -> None:
    """Recomputes the means and variances of batch normalisation over normal images, with the final weights.

    These networks update theirs by a hundredth a step, meant for runs of a hundred thousand steps: after a few hundred
    small batches they are still near their initial values, and activations that depend on them are meaningless.
    """
    batch_norms = [layer for layer in extractor.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in batch_norms:
        layer.reset_running_stats()
        layer.momentum = None
    chosen = generator.permutation(len(windows))[:_STATISTICS_WINDOWS]
    extractor.train()
    with torch.no_grad():
        for part in np.array_split(chosen, max(1, len(chosen) // _STATISTICS_BATCH)):
            extractor(features(torch.from_numpy(np.ascontiguousarray(windows[part]))))
    extractor.eval()


def _image(features: LeakFeatures, window: Float32, generator: np.random.Generator, *, anomalous: bool) -> Float32:
    kind = KINDS[int(generator.integers(len(KINDS)))] if anomalous else ""
    samples = change_sound(kind, generator, window.ravel()) if kind in SOUND_KINDS else window.ravel()
    with torch.no_grad():
        rows = torch.from_numpy(np.ascontiguousarray(samples)).view(1, SPEC.n_frames, SPEC.n_fft)
        image: Float32 = features(rows)[0, 0].numpy()
    return change_image(kind, generator, image) if kind and kind not in SOUND_KINDS else image


def train_autoencoder(
    model: AutoencoderName, maps: torch.Tensor, seed: int, steps: int, batch: int, rate: float
) -> tuple[Autoencoder, list[float]]:
    """Trains a network to reconstruct normal maps; returns it and the loss of each step.

    ``vae``: mean squared error and mean divergence, weighted as in its source. ``beta-vae-h``: summed error and four
    times the divergence (Higgins et al., ICLR 2017). ``beta-vae-b``: summed error and 1,000 times the
    deviation of the divergence from a capacity that grows to 25 nats (Burgess et al., 2018).

    Args:
        model: kind of autoencoder.
        maps: float32 (n, channels, height, width) in [0, 1].
        seed: of the batches.
        steps, batch, rate: of the run.
    """
    shape = (maps.shape[1], maps.shape[2], maps.shape[3])
    net = ConvAutoencoder(shape) if model == "conv-ae" else DenseVae(shape)
    generator = np.random.default_rng(seed)
    done = 0

    def batch_loss() -> torch.Tensor:
        nonlocal done
        done += 1
        targets = maps[torch.from_numpy(generator.integers(len(maps), size=batch))]
        if isinstance(net, ConvAutoencoder):
            return mse_loss(net(targets), targets)
        reconstruction, divergence = net.sample(targets)
        if model == "vae":
            return mse_loss(reconstruction, targets) + divergence / targets[0].numel()
        error = (reconstruction - targets).square().sum() / batch
        if model == "beta-vae-h":
            return error + _BETA * divergence
        return error + _GAMMA * (divergence - _CAPACITY * min(1.0, 2.0 * done / steps)).abs()

    # The capacity depends on the steps of this process: an interrupted run of type B starts over.
    losses = fit(net, batch_loss, steps, rate, "training", None if model == "beta-vae-b" else (generator,))
    return net, losses
