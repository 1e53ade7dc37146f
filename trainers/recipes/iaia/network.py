"""The clip-statistics recipe's pair of denoising autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

Float32 = npt.NDArray[np.float32]

MFCC_WIDTHS = (128, 64, 32, 16, 8)
BASIC_WIDTHS = (8, 16, 32, 64, 128)
"""The second one has a wider code than its input: only the noise keeps it from copying."""


class DenoisingAutoencoder(nn.Module):
    """Dense layers down ``widths`` and up again, ReLU between them, a sigmoid at the end."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_dense(widths), *_dense(widths[::-1]), nn.Sigmoid())

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows denoised, float32 (n, widths[0]) in [0, 1]."""
        denoised: torch.Tensor = self.layers(rows)
        return denoised


def _dense(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return layers[:-1]


def train_denoiser(
    rows: Float32, widths: Sequence[int], noise: float, epochs: int, batch: int, rate: float
) -> tuple[DenoisingAutoencoder, list[float]]:
    """Trains a network to reconstruct rows from noisy ones; torch's generator must be seeded.

    Args:
        rows: float32 (n, widths[0]), mostly in [0, 1].
        widths: layers down to the code.
        noise: standard deviation of the noise, relative to each column's own; noisy rows are clipped to [0, 1].
        epochs, batch, rate: of Adam.

    Returns:
        The network, in evaluation mode, and the mean loss of each epoch.
    """
    net = DenoisingAutoencoder(widths)
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    clean = torch.from_numpy(np.ascontiguousarray(rows))
    spread = clean.std(0, keepdim=True)
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(clean))
        total = 0.0
        for start in range(0, len(clean), batch):
            targets = clean[order[start : start + batch]]
            inputs = torch.clamp(targets + torch.randn_like(targets) * (noise * spread), 0.0, 1.0)
            loss = (net(inputs) - targets).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(targets)
        losses.append(total / len(clean))
    return net.eval(), losses
