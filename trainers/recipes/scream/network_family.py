"""The scream networks of Eye-SCREAM, which differ in the shape of their kernels.

Its talk names the types and their sizes (A 165,000 weights, B 533,000, C 420,000, A-depthwise 297,000, A-deep
659,000) but not their layers; the layers here are chosen to match those sizes at 6 frames of 64 bands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import nn

from trainers.recipes.scream.network import ScreamNet, relative_level

ModelName = Literal["compact", "A", "B", "C", "C-RNN", "A-depthwise", "A-deep"]
MODELS: tuple[ModelName, ...] = get_args(ModelName)
Features = Literal["mel", "log-mel"]
_N_MELS = 64


class NetworkInput(nn.Module):
    """The layers' input.

    Args:
        features: ``log-mel``, or ``mel``, which undoes the logarithm.
    """

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.linear = features == "mel"

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Float32 (batch, 1, n_frames, n_mels) from dB, relative to the window's loudest point."""
        if not self.linear:
            return relative_level(log_mel).unsqueeze(1)
        loudest = log_mel.amax(dim=(1, 2), keepdim=True)
        # Power from 0 to 1 is mostly near 0: training needs about unit spread.
        return torch.pow(10.0, (log_mel - loudest) / 10.0).unsqueeze(1) * 10.0


def _layer(channels_in: int, channels_out: int, kernel: tuple[int, int], *, depthwise: bool, halve: bool) -> nn.Module:
    """Convolution that keeps the shape, then pooling of the bands if they are halved."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    convolutions: list[nn.Module] = [nn.Conv2d(channels_in, channels_out, kernel, padding=padding, bias=False)]
    if depthwise and channels_in > 1:
        convolutions = [
            nn.Conv2d(channels_in, channels_in, kernel, padding=padding, groups=channels_in, bias=False),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
        ]
    pool: list[nn.Module] = [nn.MaxPool2d((1, 2))] if halve else []
    return nn.Sequential(*convolutions, nn.BatchNorm2d(channels_out), nn.ReLU(), *pool)


class Convolutional(nn.Module):
    """Layers of one kernel shape, mean over time, two dense layers.

    Args:
        features: ``mel`` or ``log-mel``.
        kernel: frames and bands.
        channels: of each layer.
        hidden: units between the dense layers.
        dropout: before each dense layer.
        depthwise: whether each layer is a depthwise and a pointwise convolution.
        every: layers from one halving of the bands to the next.
    """

    def __init__(
        self,
        features: Features,
        kernel: tuple[int, int],
        channels: Sequence[int],
        hidden: int,
        dropout: float,
        *,
        depthwise: bool = False,
        every: int = 1,
    ) -> None:
        super().__init__()
        self.front = NetworkInput(features)
        layers, last, bands = [], 1, _N_MELS
        for number, width in enumerate(channels, start=1):
            halve = number % every == 0
            layers.append(_layer(last, width, kernel, depthwise=depthwise, halve=halve))
            last, bands = width, bands // 2 if halve else bands
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(last * bands, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )
        self.code = hidden

    def embed(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Input of the last layer, float32 (batch, code), of windows as in :meth:`forward`."""
        code: torch.Tensor = self.head[:-1](self.body(self.front(log_mel)).mean(dim=2).flatten(1))
        return code

    def decide(self, code: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of an output of :meth:`embed`."""
        logits: torch.Tensor = self.head[-1](code).squeeze(1)
        return logits

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of windows float32 (batch, n_frames, n_mels) in dB."""
        return self.decide(self.embed(log_mel))


class Recurrent(nn.Module):
    """Convolutions of type C, then an LSTM over time (Hochreiter and Schmidhuber 1997); its last state is classified.

    Args:
        features: ``mel`` or ``log-mel``.
        channels: of each layer.
        units: of the LSTM.
        dropout: before the dense layer.
    """

    def __init__(self, features: Features, channels: Sequence[int], units: int, dropout: float) -> None:
        super().__init__()
        self.front = NetworkInput(features)
        layers, last = [], 1
        for width in channels:
            layers.append(_layer(last, width, (3, 3), depthwise=False, halve=True))
            last = width
        self.body = nn.Sequential(*layers)
        self.units = units
        self.gates = nn.Linear(last * (_N_MELS >> len(channels)) + units, 4 * units)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(units, 1)
        self.code = units

    def embed(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Input of the last layer, float32 (batch, code), of windows as in :meth:`forward`."""
        steps = self.body(self.front(log_mel)).transpose(1, 2).flatten(2)
        # Written out, so that the graph needs no operator beyond those a worker allows.
        cell = torch.zeros_like(steps[:, 0, : self.units])
        state = cell
        for step in steps.unbind(dim=1):
            input_gate, forget_gate, candidate, output_gate = self.gates(torch.cat([step, state], dim=1)).chunk(
                4, dim=1
            )
            cell = torch.sigmoid(forget_gate + 1.0) * cell + torch.sigmoid(input_gate) * torch.tanh(candidate)
            state = torch.sigmoid(output_gate) * torch.tanh(cell)
        dropped: torch.Tensor = self.dropout(state)
        return dropped

    def decide(self, code: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of an output of :meth:`embed`."""
        logits: torch.Tensor = self.head(code).squeeze(1)
        return logits

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of windows float32 (batch, n_frames, n_mels) in dB."""
        return self.decide(self.embed(log_mel))


_TIME, _FREQUENCY, _BOTH = (3, 1), (1, 5), (3, 3)

_EYE_SCREAM: dict[str, Callable[[Features, float], Convolutional | Recurrent]] = {
    "A": lambda features, dropout: Convolutional(features, _TIME, (32, 64, 128, 128), 160, dropout),
    "B": lambda features, dropout: Convolutional(features, _FREQUENCY, (32, 64, 128, 256), 310, dropout),
    "C": lambda features, dropout: Convolutional(features, _BOTH, (32, 64, 96, 128), 456, dropout),
    "C-RNN": lambda features, dropout: Recurrent(features, (32, 64, 96, 128), 64, dropout),
    "A-depthwise": lambda features, dropout: Convolutional(
        features, _TIME, (64, 128, 256, 256), 180, dropout, depthwise=True
    ),
    "A-deep": lambda features, dropout: Convolutional(
        features, _TIME, (32, 32, 64, 64, 128, 128, 192, 192), 490, dropout, every=2
    ),
}
ScreamNetwork = ScreamNet | Convolutional | Recurrent


def network(model: ModelName, features: Features, width: int, dropout: float) -> ScreamNetwork:
    """A network with random weights.

    Args:
        model: its name.
        features: its input; the compact network always uses log-mels.
        width: of the compact network.
        dropout: 0 to 1.
    """
    if model == "compact":
        return ScreamNet(width, dropout)
    return _EYE_SCREAM[model](features, dropout)
