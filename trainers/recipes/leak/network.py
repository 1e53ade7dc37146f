"""The leak recipe's networks: extractors, the convolutional autoencoder, and variational ones."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import torch
import torchvision
from torch import nn

from schemas.errors import SettingsError

EXTRACTORS = ("mobilenet_v3_large", "mobilenet_v2", "densenet121", "resnet50")
CODE = 30
_HIDDEN = (512, 256, 128, 64)
_CHANNELS = (16, 32, 16)


class Extractor(nn.Module):
    """A network of torchvision up to its last convolution, begun at random; its taps are features of images.

    Args:
        name: one of :data:`EXTRACTORS`.

    Attributes:
        shape: channels, height and width of a tap of an image of 224 x 224: 960, 7, 7 for ``mobilenet_v3_large``.

    Raises:
        SettingsError: there is no such network.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in EXTRACTORS:
            raise SettingsError(f"no extractor {name!r}; there are {', '.join(EXTRACTORS)}")
        whole = torchvision.models.get_model(name, weights=None)
        if name == "resnet50":
            self.layers = nn.Sequential(*list(whole.children())[:-2])
        else:
            self.layers = whole.features
        with torch.no_grad():
            tap = self.layers.eval()(torch.zeros(1, 3, 224, 224))
        self.shape: tuple[int, int, int] = (tap.shape[1], tap.shape[2], tap.shape[3])
        self.head = nn.Linear(self.shape[0], 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Taps float32 (batch, *shape) of images float32 (batch, 1, height, width), stacked three times."""
        tap: torch.Tensor = self.layers(image.repeat(1, 3, 1, 1))
        return tap

    def logit(self, image: torch.Tensor) -> torch.Tensor:
        """Log-odds that an image is of a generated anomaly, float32 (batch,)."""
        answer: torch.Tensor = self.head(self.forward(image).mean(dim=(2, 3))).squeeze(1)
        return answer


class ConvAutoencoder(nn.Module):
    """Three convolutions (16 of 4 x 4 by 2, 32 of 3 x 3 by 2, 16 of 2 x 2), a code of 30, and back.

    Batch normalisation and tanh between, a sigmoid at the end: what is rebuilt lies in [0, 1].

    Args:
        shape: channels, height and width.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = _CHANNELS
        self.encoder = nn.Sequential(
            *(nn.Conv2d(shape[0], first, 4, 2, padding=1), nn.BatchNorm2d(first), nn.Tanh()),
            *(nn.Conv2d(first, second, 3, 2, padding=1), nn.BatchNorm2d(second), nn.Tanh()),
            *(nn.Conv2d(second, third, 2, 1), nn.BatchNorm2d(third), nn.Tanh()),
        )
        half = [(size - 2) // 2 + 1 for size in shape[1:]]
        quarter = [(size - 1) // 2 + 1 for size in half]
        self._inner = (third, quarter[0] - 1, quarter[1] - 1)
        # What halving has rounded away is put back on the way up.
        middle = (half[0] - 2 * quarter[0] + 1, half[1] - 2 * quarter[1] + 1)
        last = (shape[1] - 2 * half[0], shape[2] - 2 * half[1])
        self.squeeze = nn.Linear(prod(self._inner), CODE)
        self.spread = nn.Linear(CODE, prod(self._inner))
        self.decoder = nn.Sequential(
            *(nn.ConvTranspose2d(third, second, 2, 1), nn.BatchNorm2d(second), nn.Tanh()),
            *(nn.ConvTranspose2d(second, first, 3, 2, 1, middle), nn.BatchNorm2d(first), nn.Tanh()),
            nn.ConvTranspose2d(first, shape[0], 4, 2, 1, last),
        )

    def encode(self, maps: torch.Tensor) -> torch.Tensor:
        """Codes float32 (batch, 30) of float32 (batch, *shape)."""
        code: torch.Tensor = self.squeeze(self.encoder(maps).flatten(1))
        return code

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """What codes stand for, float32 (batch, *shape)."""
        return torch.sigmoid(self.decoder(torch.tanh(self.spread(code)).view(-1, *self._inner)))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Rebuilt, float32 (batch, *shape)."""
        return self.decode(self.encode(maps))


class DenseVae(nn.Module):
    """Dense layers 512-256-128-64 to means and log-variances of 30 latents, and back (Kingma and Welling, ICLR 2014).

    Args:
        shape: channels, height and width; they are laid out in one row.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self._shape = shape
        widths = (prod(shape), *_HIDDEN)
        self.encoder = nn.Sequential(*_dense(widths))
        self.mean = nn.Linear(widths[-1], CODE)
        self.log_variance = nn.Linear(widths[-1], CODE)
        back = (CODE, *_HIDDEN[::-1])
        self.decoder = nn.Sequential(*_dense(back), nn.Linear(back[-1], widths[0]), nn.Sigmoid())

    def encode(self, maps: torch.Tensor) -> torch.Tensor:
        """Means of the latents, float32 (batch, 30)."""
        means: torch.Tensor = self.mean(self.encoder(maps.flatten(1)))
        return means

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """What latents stand for, float32 (batch, *shape)."""
        rebuilt: torch.Tensor = self.decoder(code)
        return rebuilt.view(-1, *self._shape)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Rebuilt from the means, float32 (batch, *shape)."""
        return self.decode(self.encode(maps))

    def drawn(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rebuilt from latents drawn at random, and the mean Kullback-Leibler divergence of a row, nats."""
        hidden = self.encoder(maps.flatten(1))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden).clamp(-10.0, 10.0)
        code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=1).mean()
        return self.decode(code), divergence


def _dense(widths: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return layers
