"""The leak recipe's networks: extractors, the convolutional autoencoder, and variational ones."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Literal, get_args

import torch
import torchvision
from torch import nn

ExtractorName = Literal["mobilenet_v3_large", "mobilenet_v2", "densenet121", "resnet50"]
EXTRACTORS: tuple[ExtractorName, ...] = get_args(ExtractorName)
CODE = 30
_HIDDEN = (512, 256, 128, 64)
_CHANNELS = (16, 32, 16)


class Extractor(nn.Module):
    """A torchvision network up to its last convolution, with random weights; its activations are features of images.

    Args:
        name: of the network.

    Attributes:
        shape: channels, height and width of the activations of an image of 224 x 224; 960, 7, 7 for
            ``mobilenet_v3_large``.
    """

    def __init__(self, name: ExtractorName) -> None:
        super().__init__()
        classifier = torchvision.models.get_model(name, weights=None)
        if name == "resnet50":
            self.layers = nn.Sequential(*list(classifier.children())[:-2])
        else:
            self.layers = classifier.features
        with torch.no_grad():
            _, channels, height, width = self.layers.eval()(torch.zeros(1, 3, 224, 224)).shape
        self.shape: tuple[int, int, int] = (channels, height, width)
        self.head = nn.Linear(self.shape[0], 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Activations float32 (batch, *shape) of images float32 (batch, 1, height, width), used as three channels."""
        activations: torch.Tensor = self.layers(image.repeat(1, 3, 1, 1))
        return activations

    def logit(self, image: torch.Tensor) -> torch.Tensor:
        """Log-odds that an image is of a generated anomaly, float32 (batch,)."""
        logits: torch.Tensor = self.head(self.forward(image).mean(dim=(2, 3))).squeeze(1)
        return logits


class ConvAutoencoder(nn.Module):
    """Three convolutions (16 of 4 x 4 by 2, 32 of 3 x 3 by 2, 16 of 2 x 2), a code of 30, and back.

    Batch normalisation and tanh between, a sigmoid at the end: the reconstruction is in [0, 1].

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
        # Output padding restores the rows and columns lost by halving odd sizes.
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
        """Maps float32 (batch, *shape) of codes."""
        return torch.sigmoid(self.decoder(torch.tanh(self.spread(code)).view(-1, *self._inner)))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Reconstruction, float32 (batch, *shape)."""
        return self.decode(self.encode(maps))


class DenseVae(nn.Module):
    """Dense layers 512-256-128-64 to means and log-variances of 30 latents, and back (Kingma and Welling, ICLR 2014).

    Args:
        shape: channels, height and width; flattened into one row.
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
        """Maps float32 (batch, *shape) of latents."""
        maps: torch.Tensor = self.decoder(code)
        return maps.view(-1, *self._shape)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Reconstruction from the means, float32 (batch, *shape)."""
        return self.decode(self.encode(maps))

    def sample(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Reconstruction from latents drawn at random, and the mean Kullback-Leibler divergence of a row, nats."""
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
