"""MIMII's baseline autoencoder: vectors of five log-mel frames through a bottleneck of eight."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from schemas.errors import UnreadableInput

FRAMES, N_MELS = 5, 64
WIDTHS = (FRAMES * N_MELS, 64, 64, 8, 64, 64, FRAMES * N_MELS)


class VectorAutoencoder(nn.Module):
    """Dense layers 320-64-64-8-64-64-320, ReLU between them (github.com/MIMII-hitachi/mimii_baseline)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(WIDTHS):
            dense = nn.Linear(wide, narrow)
            # As Keras begins: Glorot and Bengio, AISTATS 2010.
            nn.init.xavier_uniform_(dense.weight)
            nn.init.zeros_(dense.bias)
            layers += [dense, nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """What it makes of vectors, float32 (..., 320) to (..., 320)."""
        made: torch.Tensor = self.layers(vectors)
        return made

    def loss(self, vectors: torch.Tensor) -> torch.Tensor:
        """Mean squared error of vectors (n, 320), dB^2."""
        loss: torch.Tensor = (self(vectors) - vectors).square().mean()
        return loss


class WindowError(nn.Module):
    """A window's score: the mean squared error over its vectors, so that a clip's mean is the baseline's score.

    Args:
        net: the autoencoder.
    """

    def __init__(self, net: VectorAutoencoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Score float32 (batch,) and bands float32 (batch, 64), dB^2, of log-mels float32 (batch, n_frames, 64), dB."""
        vectors = unfolded(log_mel)
        off = (self.net(vectors) - vectors).square()
        bands = off.unflatten(2, (FRAMES, N_MELS)).mean(dim=(1, 2))
        return bands.mean(dim=1), bands


def unfolded(log_mel: torch.Tensor) -> torch.Tensor:
    """Vectors of five consecutive frames, float32 (batch, n_frames - 4, 320), of frames (batch, n_frames, 64)."""
    count = log_mel.shape[1] - FRAMES + 1
    return torch.cat([log_mel[:, place : place + count] for place in range(FRAMES)], dim=2)


def load_keras(net: VectorAutoencoder, path: Path) -> None:
    """Takes weights over from a Keras file of the same layers; its optimiser and configuration are not read.

    Args:
        net: changed in place.
        path: an HDF5 file as Keras 2 writes it.

    Raises:
        UnreadableInput: it cannot be read, or holds other layers.
    """
    if not path.is_file():
        raise UnreadableInput(f"{path} is no file: give one of published weights")
    dense = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
    try:
        with h5py.File(path, "r") as file:
            layers = file["model_weights"]
            for number, layer in enumerate(dense):
                name = "dense" if number == 0 else f"dense_{number}"
                kernel = np.asarray(layers[name][name]["kernel:0"], dtype=np.float32)
                bias = np.asarray(layers[name][name]["bias:0"], dtype=np.float32)
                if kernel.T.shape != tuple(layer.weight.shape) or bias.shape != tuple(layer.bias.shape):
                    raise UnreadableInput(
                        f"{path}: layer {name!r} is {kernel.shape}, not {tuple(layer.weight.T.shape)}: another network"
                    )
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
                    layer.bias.copy_(torch.from_numpy(bias))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(f"{path} cannot be read as Keras weights of {WIDTHS}: {error}") from None
