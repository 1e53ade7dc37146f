"""How the leak recipe's networks learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from schemas.errors import SettingsError
from trainers.recipes.leak.features import SPEC, LeakFeatures
from trainers.recipes.leak.generated import KINDS, SOUND_KINDS, of_image, of_sound
from trainers.recipes.leak.model import Autoencoder
from trainers.recipes.leak.network import ConvAutoencoder, DenseVae, Extractor
from trainers.training.loop import fit

Float32 = npt.NDArray[np.float32]

MODELS = ("conv-ae", "vae", "beta-vae-h", "beta-vae-b")

_BETA = 4.0
_SETTLED, _SETTLED_BATCH = 96, 16
_GAMMA, _CAPACITY = 1_000.0, 25.0


def train_extractor(
    extractor: Extractor, features: LeakFeatures, windows: Float32, seed: int, steps: int, batch: int, rate: float
) -> list[float]:
    """Learns to tell normal sound from anomalies generated of it; gives the loss of each step.

    Args:
        extractor: of images.
        features: makes them.
        windows: normal ones, float32 (n, n_frames, n_fft).
        seed: of windows and anomalies.
        steps, batch, rate: of the run; half of a batch is anomalous.
    """
    generator = np.random.default_rng(seed)

    def drawn() -> torch.Tensor:
        chosen = generator.integers(len(windows), size=batch)
        labels = np.arange(batch) % 2
        images = [
            _image(features, windows[index], generator, anomalous=bool(label))
            for index, label in zip(chosen, labels, strict=True)
        ]
        logits = extractor.logit(torch.from_numpy(np.stack(images)).unsqueeze(1))
        return binary_cross_entropy_with_logits(logits, torch.from_numpy(labels.astype(np.float32)))

    losses = fit(extractor, drawn, steps, rate, "training the extractor", (generator,))
    _settle_statistics(extractor, features, windows, generator)
    return losses


def _settle_statistics(
    extractor: Extractor, features: LeakFeatures, windows: Float32, generator: np.random.Generator
) -> None:
    """Takes the means and variances of normalisation anew, over normal images, with the final weights.

    These networks move theirs by a hundredth a step, for runs of a hundred thousand steps: after a few hundred small
    batches they are still those of the beginning, and taps by them mean nothing.
    """
    norms = [layer for layer in extractor.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None
    chosen = generator.permutation(len(windows))[:_SETTLED]
    extractor.train()
    with torch.no_grad():
        for part in np.array_split(chosen, max(1, len(chosen) // _SETTLED_BATCH)):
            extractor(features(torch.from_numpy(np.ascontiguousarray(windows[part]))))
    extractor.eval()


def _image(features: LeakFeatures, window: Float32, generator: np.random.Generator, *, anomalous: bool) -> Float32:
    kind = KINDS[int(generator.integers(len(KINDS)))] if anomalous else ""
    samples = of_sound(kind, generator, window.ravel()) if kind in SOUND_KINDS else window.ravel()
    with torch.no_grad():
        rows = torch.from_numpy(np.ascontiguousarray(samples)).view(1, SPEC.n_frames, SPEC.n_fft)
        image: Float32 = features(rows)[0, 0].numpy()
    return of_image(kind, generator, image) if kind and kind not in SOUND_KINDS else image


def train_autoencoder(
    model: str, maps: torch.Tensor, seed: int, steps: int, batch: int, rate: float
) -> tuple[Autoencoder, list[float]]:
    """Learns to rebuild normal maps; gives the network and the loss of each step.

    ``vae``: mean squared error and mean divergence, as its source weighs them. ``beta-vae-h``: summed error and four
    times the divergence (Higgins et al., ICLR 2017). ``beta-vae-b``: summed error and 1,000 times how far the
    divergence lies from a capacity that grows to 25 nats (Burgess et al., 2018).

    Args:
        model: one of :data:`MODELS`.
        maps: float32 (n, channels, height, width) in [0, 1].
        seed: of the batches.
        steps, batch, rate: of the run.

    Raises:
        SettingsError: there is no such model.
    """
    if model not in MODELS:
        raise SettingsError(f"no model {model!r}; there are {', '.join(MODELS)}")
    shape = (maps.shape[1], maps.shape[2], maps.shape[3])
    net = ConvAutoencoder(shape) if model == MODELS[0] else DenseVae(shape)
    generator = np.random.default_rng(seed)
    done = 0

    def drawn() -> torch.Tensor:
        nonlocal done
        done += 1
        wanted = maps[torch.from_numpy(generator.integers(len(maps), size=batch))]
        if isinstance(net, ConvAutoencoder):
            return mse_loss(net(wanted), wanted)
        rebuilt, divergence = net.drawn(wanted)
        if model == "vae":
            return mse_loss(rebuilt, wanted) + divergence / wanted[0].numel()
        error = (rebuilt - wanted).square().sum() / batch
        if model == "beta-vae-h":
            return error + _BETA * divergence
        return error + _GAMMA * (divergence - _CAPACITY * min(1.0, 2.0 * done / steps)).abs()

    # The capacity follows the steps of this process: a run of type B begins anew when it was interrupted.
    losses = fit(net, drawn, steps, rate, "training", None if model == "beta-vae-b" else (generator,))
    return net, losses
