"""The scream networks of Eye-SCREAM, which differ in where their kernels reach.

Its talk names the types and their sizes (A 165,000 weights, B 533,000, C 420,000, A-depthwise 297,000, A-deep
659,000) but no layers; the layers here are chosen to come near those sizes at 6 frames of 64 bands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from schemas.errors import SettingsError
from trainers.recipes.scream.network import ScreamNet, level

MEL, LOG_MEL = "mel", "log-mel"
_N_MELS = 64


class Front(nn.Module):
    """What the layers see.

    Args:
        features: ``log-mel``, or ``mel``, which undoes the logarithm.
    """

    def __init__(self, features: str) -> None:
        super().__init__()
        self.linear = features == MEL

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Float32 (batch, 1, n_frames, n_mels) from dB, relative to the window's loudest point."""
        if not self.linear:
            return level(log_mel).unsqueeze(1)
        loudest = log_mel.amax(dim=(1, 2), keepdim=True)
        # Power 0 to 1 has most of its mass near 0: about unit spread trains.
        return torch.pow(10.0, (log_mel - loudest) / 10.0).unsqueeze(1) * 10.0


def _layer(channels_in: int, channels_out: int, kernel: tuple[int, int], *, depthwise: bool, halve: bool) -> nn.Module:
    """Convolution that keeps the shape, then half the bands where they are to be halved."""
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
        channels: of each layer; after the first, third, fifth and so on bands are halved, four times at most.
        hidden: units between the dense layers.
        dropout: before each dense layer.
        depthwise: whether each layer is a depthwise and a pointwise convolution.
        every: layers from one halving of the bands to the next.
    """

    def __init__(
        self,
        features: str,
        kernel: tuple[int, int],
        channels: Sequence[int],
        hidden: int,
        dropout: float,
        *,
        depthwise: bool = False,
        every: int = 1,
    ) -> None:
        super().__init__()
        self.front = Front(features)
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
        """What the last layer decides from, float32 (batch, code), of windows as in :meth:`forward`."""
        decided: torch.Tensor = self.head[:-1](self.body(self.front(log_mel)).mean(dim=2).flatten(1))
        return decided

    def decide(self, code: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of what :meth:`embed` gave."""
        logits: torch.Tensor = self.head[-1](code).squeeze(1)
        return logits

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of windows float32 (batch, n_frames, n_mels) in dB."""
        return self.decide(self.embed(log_mel))


class Recurrent(nn.Module):
    """Convolutions as type C, then an LSTM over time (Hochreiter and Schmidhuber 1997), its last state decides.

    Args:
        features: ``mel`` or ``log-mel``.
        channels: of each layer.
        units: of the LSTM.
        dropout: before the dense layer.
    """

    def __init__(self, features: str, channels: Sequence[int], units: int, dropout: float) -> None:
        super().__init__()
        self.front = Front(features)
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
        """What the last layer decides from, float32 (batch, code), of windows as in :meth:`forward`."""
        steps = self.body(self.front(log_mel)).transpose(1, 2).flatten(2)
        # Written out, so that the graph holds no operator a worker would have to trust besides.
        cell = torch.zeros_like(steps[:, 0, : self.units])
        state = cell
        for step in steps.unbind(dim=1):
            enter, keep, new, leave = self.gates(torch.cat([step, state], dim=1)).chunk(4, dim=1)
            cell = torch.sigmoid(keep + 1.0) * cell + torch.sigmoid(enter) * torch.tanh(new)
            state = torch.sigmoid(leave) * torch.tanh(cell)
        dropped: torch.Tensor = self.dropout(state)
        return dropped

    def decide(self, code: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of what :meth:`embed` gave."""
        logits: torch.Tensor = self.head(code).squeeze(1)
        return logits

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of windows float32 (batch, n_frames, n_mels) in dB."""
        return self.decide(self.embed(log_mel))


_TIME, _FREQUENCY, _BOTH = (3, 1), (1, 5), (3, 3)

_MADE: dict[str, Callable[[str, float], Convolutional | Recurrent]] = {
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

OWN = "compact"
MODELS = (OWN, *_MADE)
"""Names of networks."""


def network(model: str, features: str, width: int, dropout: float) -> ScreamNetwork:
    """A network, its weights drawn anew.

    Args:
        model: a name in :data:`MODELS`.
        features: ``mel`` or ``log-mel``; the compact network sees log-mels only.
        width: of the compact network.
        dropout: 0 to 1.

    Raises:
        SettingsError: there is none such.
    """
    if features not in (MEL, LOG_MEL):
        raise SettingsError(f"option 'features' is {features!r}; there are {MEL} and {LOG_MEL}")
    if model == OWN:
        if features != LOG_MEL:
            raise SettingsError(f"option 'features' is {features!r}; model {OWN!r} takes {LOG_MEL}: name another model")
        return ScreamNet(width, dropout)
    if model not in _MADE:
        raise SettingsError(f"option 'model' is {model!r}; there are {', '.join(MODELS)}")
    return _MADE[model](features, dropout)
