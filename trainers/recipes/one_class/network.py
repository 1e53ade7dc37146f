"""Bases of the networks that reconstruct normal sound, and of the scores made of their error."""

from __future__ import annotations

import torch
from torch import nn


class Autoencoder(nn.Module):
    """Reconstructs its input ``x``, float32 (batch, ...)."""

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        """The reconstruction of ``x``, of its shape and unit."""
        raise NotImplementedError

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """The training loss of ``x``, a scalar."""
        raise NotImplementedError

    def start_at(self, x: torch.Tensor) -> None:
        """Moves the untrained network's output to the level of the training input; most networks need no such help."""


class ErrorScore(nn.Module):
    """A window's score: the reconstruction error of a network.

    Args:
        net: the network.
    """

    net: Autoencoder

    def __init__(self, net: Autoencoder) -> None:
        super().__init__()
        self.net = net
