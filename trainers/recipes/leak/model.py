"""The leak recipe's chain as one network: features, an extractor's activations, an autoencoder, and its error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from trainers.recipes.leak.features import LeakFeatures
from trainers.recipes.leak.network import ConvAutoencoder, DenseVae, Extractor

Float32 = npt.NDArray[np.float32]

Autoencoder = ConvAutoencoder | DenseVae

_BATCH = 16
_MIN_ERROR = 1e-9
_QUANTILES = (0.01, 0.99)
_MIN_SPAN = 1e-3


class AutoencoderInput(nn.Module):
    """From images to the autoencoder's input.

    Args:
        extractor: its activations are used; None uses the images.
        flat: whether activations are averaged over positions: a dense network of all of them would need 100 MB.
    """

    def __init__(self, extractor: Extractor | None, *, flat: bool) -> None:
        super().__init__()
        self.extractor, self._flat = extractor, flat

    def shape(self, image: tuple[int, int, int]) -> tuple[int, int, int]:
        """Channels, height and width of the autoencoder's input."""
        if self.extractor is None:
            return image
        return (self.extractor.shape[0], 1, 1) if self._flat else self.extractor.shape

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """float32 (batch, *shape) of images float32 (batch, 1, height, width)."""
        if self.extractor is None:
            return image
        activations: torch.Tensor = self.extractor(image)
        return activations.mean(dim=(2, 3), keepdim=True) if self._flat else activations


class LeakNet(nn.Module):
    """A window's score: 10 log10 of the mean squared reconstruction error.

    Args:
        features, maps, autoencoder: in evaluation mode.
        low, span: low is the first percentile of the maps, low + span the ninety-ninth: they become 0 and 1, and values
            beyond are clipped, since the autoencoders end in a sigmoid.
    """

    low: torch.Tensor
    span: torch.Tensor

    def __init__(
        self, features: LeakFeatures, maps: AutoencoderInput, autoencoder: Autoencoder, low: float, span: float
    ) -> None:
        super().__init__()
        self.features, self.maps, self.autoencoder = features, maps, autoencoder
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32))
        self.register_buffer("span", torch.tensor(span, dtype=torch.float32))

    def scaled(self, rows: torch.Tensor) -> torch.Tensor:
        """Maps in [0, 1], float32 (batch, *shape), of rows of samples float32 (batch, n_frames, n_fft)."""
        scaled: torch.Tensor = (self.maps(self.features(rows)) - self.low) / self.span
        return scaled.clamp(0.0, 1.0)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Scores float32 (batch,), dB, of rows of samples."""
        scaled = self.scaled(rows)
        error = (scaled - self.autoencoder(scaled)).square().flatten(1).mean(dim=1)
        return 10.0 * torch.log10(error.clamp(min=_MIN_ERROR))


def scale_of(maps: torch.Tensor) -> tuple[float, float]:
    """Low and span of maps for :class:`LeakNet`."""
    low, high = np.quantile(maps.numpy().ravel()[:: max(1, maps.numel() // 1_000_000)], _QUANTILES)
    return float(low), max(float(high - low), _MIN_SPAN)


def apply_in_batches(net: nn.Module, rows: Float32) -> torch.Tensor:
    """Output of a network for windows float32 (n, ...), a few at a time."""
    with torch.no_grad():
        return torch.cat([net(batch) for batch in _batches(rows)])


def _batches(rows: Float32) -> Iterator[torch.Tensor]:
    for start in range(0, len(rows), _BATCH):
        yield torch.from_numpy(np.ascontiguousarray(rows[start : start + _BATCH]))
