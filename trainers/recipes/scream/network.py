"""The scream recipe's own network: few, dense layers at first, depth where maps are small."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

_RANGE_DB = 60.0
_HEAD_ROOM_DB = 10.0
_DB_SCALE = 15.0
# Bands below about 400 Hz, hum and rumble, are ignored by the loudest point.
_LOUD_FROM = 8
_FLOOR_FRAMES = 5


def relative_level(log_mel: torch.Tensor) -> torch.Tensor:
    """Decibels below the window's loudest point above 400 Hz, cut at -60 dB, scaled to about -2 to 2.

    The loudest point does not depend on how much of the window is silent; the cut hides the distance of a recording's
    noise floor from its sound.

    Args:
        log_mel: float32 (batch, n_frames, n_mels), dB, at any level.
    """
    loudest = log_mel[:, :, _LOUD_FROM:].amax(dim=(1, 2), keepdim=True)
    clamped = torch.clamp(log_mel - loudest + _RANGE_DB, min=0.0, max=_RANGE_DB + _HEAD_ROOM_DB)
    return (clamped - 0.5 * _RANGE_DB) / _DB_SCALE


def above_floor(levels: torch.Tensor) -> torch.Tensor:
    """Level of each point above its band's noise floor, the minimum mean of five neighbouring frames in the window.

    Stationary sound, a fan or a street, is near zero for any spectrum; foreground sound keeps its height. Noise floors
    by minimum statistics: Martin 2001.

    Args:
        levels: float32 (batch, channels, n_frames, n_mels).
    """
    return levels - avg_pool2d(levels, (_FLOOR_FRAMES, 1), 1).amin(dim=2, keepdim=True)


def conv_block(channels_in: int, channels_out: int, kernel: int, stride: int) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class Residual(nn.Module):
    """Residual block of a depthwise and a pointwise convolution (He et al. 2016; Howard et al. 2017)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.after = nn.ReLU()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps float32 (batch, channels, height, width), as in the input."""
        output: torch.Tensor = self.after(maps + self.body(maps))
        return output


class ScreamNet(nn.Module):
    """Log-odds that a window contains a scream.

    Args:
        width: channels of the first layer; the others follow: twice, four and six times as many.
        dropout: before the last layer, in training.
    """

    def __init__(self, width: int = 16, dropout: float = 0.2) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_block(2, width, 5, 2),
            conv_block(width, 2 * width, 3, 2),
            conv_block(2 * width, 4 * width, 3, 2),
            Residual(4 * width),
            Residual(4 * width),
            conv_block(4 * width, 6 * width, 3, 2),
            Residual(6 * width),
            Residual(6 * width),
        )
        self.dropout = nn.Dropout(dropout)
        self.code = 12 * width
        self.head = nn.Linear(self.code, 1)

    def embed(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Input of the last layer, float32 (batch, code), of windows as in :meth:`forward`."""
        levels = relative_level(log_mel).unsqueeze(1)
        maps = self.body(torch.cat([levels, above_floor(levels)], dim=1))
        pooled = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
        dropped: torch.Tensor = self.dropout(pooled)
        return dropped

    def decide(self, code: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of an output of :meth:`embed`."""
        logits: torch.Tensor = self.head(code).squeeze(1)
        return logits

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of windows float32 (batch, n_frames, n_mels) in dB."""
        return self.decide(self.embed(log_mel))
