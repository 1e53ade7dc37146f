"""The networks of abnormal_sound_detect: convolutional, dense and variational autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from trainers.recipes.conv_ae.features import N_MELS, SPAN_DB
from trainers.recipes.one_class.network import Autoencoder, ErrorScore

_CHANNELS = (32, 64, 128)
_CODE_1D = 32
_MIN_ERROR = 1e-12
_MIN_SCALE = 1e-6


class ConvAutoencoder(Autoencoder):
    """Three convolutions with pooling down, three transposed ones up; the pooling is the only bottleneck.

    Args:
        normalised: the later form: batch normalisation after every convolution except the last, which ends the decoder;
            otherwise the first form, which ends in a sigmoid.
        decibels: ``x`` is in dB, 0 to -80: the sigmoid's 0 to 1 covers that range.
    """

    offset: torch.Tensor
    scale: torch.Tensor

    def __init__(self, *, normalised: bool, decibels: bool) -> None:
        super().__init__()
        self._spread = decibels and not normalised
        # Not persistent: the system published its weights without them.
        self.register_buffer("offset", torch.zeros(()), persistent=False)
        self.register_buffer("scale", torch.ones(()), persistent=False)
        self.encoder = conv_encoder(normalised=normalised)
        self.decoder = conv_decoder(normalised=normalised)
        if not normalised:
            self.decoder.append(nn.Sigmoid())

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        """See :class:`trainers.recipes.one_class.network.Autoencoder`."""
        scaled = x / SPAN_DB + 1.0 if self._spread else x
        output: torch.Tensor = self.decoder(self.encoder(scaled.unsqueeze(1))).squeeze(1)
        return (output - 1.0) * SPAN_DB if self._spread else output * self.scale + self.offset

    def start_at(self, x: torch.Tensor) -> None:
        """Sets the output's offset and scale to the mean and standard deviation of ``x``, (n, n_mels, frames).

        A decoder starts near 0 and moves by hundredths of a decibel a step: reaching sound 30 dB below its maximum
        takes most of a thousand steps and leaves few for the sound's shape. A sigmoid starts in the middle of its
        range, which is near enough for decibels; towards powers of hundredths it falls so fast that it ends at 0 for
        any input.
        """
        last = self.decoder[-2]
        if not isinstance(self.decoder[-1], nn.Sigmoid):
            self.offset, self.scale = x.mean(), x.std().clamp(min=_MIN_SCALE)
        elif not self._spread and isinstance(last, nn.ConvTranspose2d) and last.bias is not None:
            with torch.no_grad():
                last.bias.fill_(torch.logit(x.mean(), eps=_MIN_SCALE).item())

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Mean squared error; in units of the sigmoid's range where there is one."""
        scale = SPAN_DB if self._spread else 1.0
        return ((self.reconstruct(x) - x) / scale).square().mean()


class DenseAutoencoder(Autoencoder):
    """Samples through dense layers, 1,024-512-1,024 or 4,096-1,024-512-1,024-4,096 in the system.

    Args:
        samples: of a window.
        hidden: widths down to the narrowest; they are mirrored.
    """

    def __init__(self, samples: int, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [samples, *hidden, *reversed(hidden[:-1]), samples]
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(widths):
            layers += [nn.Linear(wide, narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        """See :class:`trainers.recipes.one_class.network.Autoencoder`."""
        output: torch.Tensor = self.layers(x)
        return output

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Mean squared error."""
        return (self.reconstruct(x) - x).square().mean()


class VariationalAutoencoder(Autoencoder):
    """A variational autoencoder (Kingma and Welling, ICLR 2014): binary cross-entropy and divergence, summed.

    Args:
        encoder, decoder: from (batch, ...) to a flat code and back; the decoder ends in a sigmoid.
        flat: numbers in the flat code.
        code: latent numbers.
        decibels: see :class:`ConvAutoencoder`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, flat: int, code: int, *, decibels: bool) -> None:
        super().__init__()
        self._decibels = decibels
        self.encoder, self.decoder = encoder, decoder
        self.mean, self.log_variance = nn.Linear(flat, code), nn.Linear(flat, code)
        self.widen = nn.Linear(code, flat)

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        """From the mean of the code, so that the same sound always has the same score."""
        output = self._decode(self.mean(self.encoder(self._to_unit(x))), x)
        return (output - 1.0) * SPAN_DB if self._decibels else output

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Negative evidence lower bound (ELBO) of a window, the mean over the batch."""
        unit = self._to_unit(x)
        flat = self.encoder(unit)
        mean: torch.Tensor
        mean, log_variance = self.mean(flat), self.log_variance(flat)
        sample = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        output = self._decode(sample, x)
        error = nn.functional.binary_cross_entropy(output, unit, reduction="sum")
        divergence = -0.5 * (1.0 + log_variance - mean.square() - log_variance.exp()).sum()
        bound: torch.Tensor = (error + divergence) / len(x)
        return bound

    def _to_unit(self, x: torch.Tensor) -> torch.Tensor:
        unit = x / SPAN_DB + 1.0 if self._decibels else x
        return unit.clamp(0.0, 1.0)

    def _decode(self, code: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.decoder(torch.relu(self.widen(code)))
        return output.reshape(x.shape)


class ConvAeScore(ErrorScore):
    """A model's score: the error with which the network reconstructs a window.

    Args:
        front: from the worker's windows to the network's input.
        net: the network.
        decibels: gives 10 log10 of the error, for errors of samples and powers, which are small numbers.
        bands: whether to give each band's error as well.
    """

    def __init__(self, front: nn.Module, net: Autoencoder, *, decibels: bool, bands: bool) -> None:
        super().__init__(net)
        self.front = front
        self._decibels, self._bands = decibels, bands

    def forward(self, window: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Score float32 (batch,), the mean squared error; and bands float32 (batch, n_mels)."""
        x = self.front(window)
        squared_error = (self.net.reconstruct(x) - x).square()
        error = squared_error.flatten(1).mean(dim=1)
        score = 10.0 * torch.log10(error + _MIN_ERROR) if self._decibels else error
        return (score, squared_error.mean(dim=2)) if self._bands else score


def conv_encoder(*, normalised: bool) -> nn.Sequential:
    """(batch, 1, n_mels, frames) to (batch, 128, n_mels / 8, frames / 8)."""
    layers: list[nn.Module] = []
    for before, after in pairwise((1, *_CHANNELS)):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        layers += [nn.BatchNorm2d(after)] if normalised else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


def conv_decoder(*, normalised: bool) -> nn.Sequential:
    """The inverse of :func:`conv_encoder`; nothing follows the last convolution."""
    layers: list[nn.Module] = []
    for before, after in pairwise((*reversed(_CHANNELS), 1)):
        layers.append(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1))
        if after > 1:
            layers += [nn.BatchNorm2d(after)] if normalised else []
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def conv_vae(frames: int, code: int, *, decibels: bool) -> VariationalAutoencoder:
    """The convolutional autoencoder with a code of ``code`` latent numbers, 512 in the system."""
    flat = _CHANNELS[-1] * (N_MELS // 8) * (frames // 8)
    encoder = nn.Sequential(nn.Unflatten(1, (1, N_MELS)), conv_encoder(normalised=False), nn.Flatten())
    shape = (_CHANNELS[-1], N_MELS // 8, frames // 8)
    decoder = nn.Sequential(nn.Unflatten(1, shape), conv_decoder(normalised=False), nn.Sigmoid())
    return VariationalAutoencoder(encoder, decoder, flat, code, decibels=decibels)


def vae_1d(frames: int, *, decibels: bool) -> VariationalAutoencoder:
    """Convolutions along time only, with the bands as channels."""
    encoder = nn.Sequential(
        nn.Conv1d(N_MELS, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv1d(32, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
    )
    decoder = nn.Sequential(
        nn.Unflatten(1, (16, frames // 4)),
        nn.ConvTranspose1d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose1d(32, N_MELS, 4, stride=2, padding=1),
        nn.Sigmoid(),
    )
    return VariationalAutoencoder(encoder, decoder, 16 * (frames // 4), _CODE_1D, decibels=decibels)
