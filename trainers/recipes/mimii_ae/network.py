"""MIMII's baseline autoencoder: vectors of five log-mel frames through a bottleneck of eight."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from trainers.recipes.one_class.network import Autoencoder, ErrorScore

FRAMES, N_MELS = 5, 64
WIDTHS = (FRAMES * N_MELS, 64, 64, 8, 64, 64, FRAMES * N_MELS)


class VectorAutoencoder(Autoencoder):
    """Dense layers 320-64-64-8-64-64-320, ReLU between them (github.com/MIMII-hitachi/mimii_baseline)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(WIDTHS):
            dense = nn.Linear(wide, narrow)
            # Keras's initialisation: Glorot and Bengio, AISTATS 2010.
            nn.init.xavier_uniform_(dense.weight)
            nn.init.zeros_(dense.bias)
            layers += [dense, nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors float32 (..., 320), dB, reconstructed."""
        output: torch.Tensor = self.layers(x)
        return output

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Mean squared error of vectors (n, 320), dB^2."""
        return (self.reconstruct(x) - x).square().mean()


class VectorErrorScore(ErrorScore):
    """A window's score: the mean squared error over its vectors, so that a clip's mean is the baseline's score."""

    net: VectorAutoencoder

    def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Score float32 (batch,) and bands float32 (batch, 64), dB^2, of log-mels float32 (batch, n_frames, 64), dB."""
        vectors = to_vectors(log_mel)
        squared_error = (self.net.reconstruct(vectors) - vectors).square()
        by_frame: torch.Tensor = squared_error.unflatten(2, (FRAMES, N_MELS))  # type: ignore[no-untyped-call]
        bands = by_frame.mean(dim=(1, 2))
        return bands.mean(dim=1), bands


def to_vectors(log_mel: torch.Tensor) -> torch.Tensor:
    """Vectors of five consecutive frames, float32 (batch, n_frames - 4, 320), of frames (batch, n_frames, 64)."""
    count = log_mel.shape[1] - FRAMES + 1
    return torch.cat([log_mel[:, start : start + count] for start in range(FRAMES)], dim=2)
