"""The networks of abnormal_sound_detect: convolutional, dense and variational autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from trainers.recipes.conv_ae.features import N_MELS, SPAN_DB

_CHANNELS = (32, 64, 128)
_CODE_1D = 32
_LEAST_ERROR = 1e-12
_LEAST_SCALE = 1e-6


class Rebuilder(nn.Module):
    """What every form of network can do.

    ``x`` is what the front gives: float32 (batch, n_mels, frames), or (batch, samples) for the dense form.
    """

    def rebuilt(self, x: torch.Tensor) -> torch.Tensor:
        """What the network makes of ``x``, of its shape and unit."""
        raise NotImplementedError

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """What training lowers, a scalar."""
        raise NotImplementedError


class ConvAutoencoder(Rebuilder):
    """Three convolutions with pooling down, three transposed ones up; no bottleneck but the pooling.

    Args:
        normalised: the later form: batch normalisation behind every convolution but the last, and nothing after that;
            else the first form, whose sigmoid ends the decoder.
        decibels: ``x`` is in dB, 0 to -80: the sigmoid's 0 to 1 is spread over that.
    """

    usual: torch.Tensor
    scale: torch.Tensor

    def __init__(self, *, normalised: bool, decibels: bool) -> None:
        super().__init__()
        self._spread = decibels and not normalised
        # Not among the weights, which the system has published without them.
        self.register_buffer("usual", torch.zeros(()), persistent=False)
        self.register_buffer("scale", torch.ones(()), persistent=False)
        self.encoder = conv_encoder(normalised=normalised)
        self.decoder = conv_decoder(normalised=normalised)
        if not normalised:
            self.decoder.append(nn.Sigmoid())

    def rebuilt(self, x: torch.Tensor) -> torch.Tensor:
        """See :class:`Rebuilder`."""
        seen = x / SPAN_DB + 1.0 if self._spread else x
        made: torch.Tensor = self.decoder(self.encoder(seen.unsqueeze(1))).squeeze(1)
        return (made - 1.0) * SPAN_DB if self._spread else made * self.scale + self.usual

    def begin_at(self, rows: torch.Tensor) -> None:
        """Lets what is rebuilt begin at the mean of rows (n, n_mels, frames), and be measured in their deviation.

        A decoder begins about 0 with steps of hundredths of a decibel: it takes most of a thousand of them to come down
        to sound 30 dB below its maximum, and few are left for what the sound is like. A sigmoid begins in the middle of
        its range, which is near enough for decibels; down to powers of hundredths it falls so fast that it ends at 0
        whatever is heard.
        """
        end = self.decoder[-2]
        if not isinstance(self.decoder[-1], nn.Sigmoid):
            self.usual, self.scale = rows.mean(), rows.std().clamp(min=_LEAST_SCALE)
        elif not self._spread and isinstance(end, nn.ConvTranspose2d) and end.bias is not None:
            with torch.no_grad():
                end.bias.fill_(torch.logit(rows.mean(), eps=_LEAST_SCALE).item())

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Mean squared error; in units of the sigmoid's range where there is one."""
        scale = SPAN_DB if self._spread else 1.0
        return ((self.rebuilt(x) - x) / scale).square().mean()


class DenseAutoencoder(Rebuilder):
    """Samples through dense layers, 1,024-512-1,024 or 4,096-1,024-512-1,024-4,096 as the system has it.

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

    def rebuilt(self, x: torch.Tensor) -> torch.Tensor:
        """See :class:`Rebuilder`."""
        made: torch.Tensor = self.layers(x)
        return made

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Mean squared error."""
        return (self.rebuilt(x) - x).square().mean()


class Variational(Rebuilder):
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

    def rebuilt(self, x: torch.Tensor) -> torch.Tensor:
        """See :class:`Rebuilder`; by way of the code's mean, so that the same sound always has the same score."""
        made = self._decoded(self.mean(self.encoder(self._unit(x))), x)
        return (made - 1.0) * SPAN_DB if self._decibels else made

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Negative evidence bound of a window, the mean over the batch."""
        unit = self._unit(x)
        flat = self.encoder(unit)
        mean: torch.Tensor
        mean, log_variance = self.mean(flat), self.log_variance(flat)
        drawn = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        made = self._decoded(drawn, x)
        off = nn.functional.binary_cross_entropy(made, unit, reduction="sum")
        divergence = -0.5 * (1.0 + log_variance - mean.square() - log_variance.exp()).sum()
        bound: torch.Tensor = (off + divergence) / len(x)
        return bound

    def _unit(self, x: torch.Tensor) -> torch.Tensor:
        unit = x / SPAN_DB + 1.0 if self._decibels else x
        return unit.clamp(0.0, 1.0)

    def _decoded(self, code: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.decoder(torch.relu(self.widen(code)))
        return made.reshape(x.shape)


class ErrorScore(nn.Module):
    """A model's score: how far off the network rebuilds a window.

    Args:
        front: from the worker's windows to what the network sees.
        net: the network; see :class:`Rebuilder`.
        decibels: the error's 10 log10, for errors of samples and powers, which are small numbers.
        bands: whether to give each band's error besides.
    """

    def __init__(self, front: nn.Module, net: Rebuilder, *, decibels: bool, bands: bool) -> None:
        super().__init__()
        self.front = front
        self.net = net
        self._decibels, self._bands = decibels, bands

    def forward(self, window: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Score float32 (batch,), the mean squared error; and bands float32 (batch, n_mels)."""
        x = self.front(window)
        off = (self.net.rebuilt(x) - x).square()
        error = off.flatten(1).mean(dim=1)
        score = 10.0 * torch.log10(error + _LEAST_ERROR) if self._decibels else error
        return (score, off.mean(dim=2)) if self._bands else score


def conv_encoder(*, normalised: bool) -> nn.Sequential:
    """(batch, 1, n_mels, frames) to (batch, 128, n_mels / 8, frames / 8)."""
    layers: list[nn.Module] = []
    for before, after in pairwise((1, *_CHANNELS)):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        layers += [nn.BatchNorm2d(after)] if normalised else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


def conv_decoder(*, normalised: bool) -> nn.Sequential:
    """And back; nothing follows the last convolution."""
    layers: list[nn.Module] = []
    for before, after in pairwise((*reversed(_CHANNELS), 1)):
        layers.append(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1))
        if after > 1:
            layers += [nn.BatchNorm2d(after)] if normalised else []
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def conv_vae(frames: int, code: int, *, decibels: bool) -> Variational:
    """The convolutional autoencoder about a code of ``code`` latent numbers, 512 as the system has it."""
    flat = _CHANNELS[-1] * (N_MELS // 8) * (frames // 8)
    encoder = nn.Sequential(nn.Unflatten(1, (1, N_MELS)), conv_encoder(normalised=False), nn.Flatten())
    shape = (_CHANNELS[-1], N_MELS // 8, frames // 8)
    decoder = nn.Sequential(nn.Unflatten(1, shape), conv_decoder(normalised=False), nn.Sigmoid())
    return Variational(encoder, decoder, flat, code, decibels=decibels)


def vae_1d(frames: int, *, decibels: bool) -> Variational:
    """Convolutions along time alone, with the bands as channels."""
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
    return Variational(encoder, decoder, 16 * (frames // 4), _CODE_1D, decibels=decibels)
