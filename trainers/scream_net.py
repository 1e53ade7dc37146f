"""The scream recipe's network: depthwise-separable convolutions, a few ten thousand weights."""

from __future__ import annotations

import torch
from torch import nn

_DB_SCALE = 12.0


def _separable(channels_in: int, channels_out: int, stride: tuple[int, int]) -> nn.Sequential:
    """Depthwise and pointwise convolution (Howard et al., MobileNets, 2017)."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, stride=stride, padding=1, groups=channels_in, bias=False),
        nn.BatchNorm2d(channels_in),
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class ScreamNet(nn.Module):
    """Log-odds that a window holds a scream.

    Args:
        width: channels of the first layer.
        dropout: before the last layer, in training.
    """

    def __init__(self, width: int = 24, dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.body = nn.Sequential(
            _separable(width, 2 * width, (2, 2)),
            _separable(2 * width, 2 * width, (1, 1)),
            _separable(2 * width, 4 * width, (2, 2)),
            _separable(4 * width, 4 * width, (1, 1)),
            _separable(4 * width, 4 * width, (2, 2)),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, 1)

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Logit, float32 (batch,), of windows float32 (batch, n_frames, n_mels) in dB, level-normalised."""
        maps = self.body(self.stem(log_mel.unsqueeze(1) / _DB_SCALE))
        pooled = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
        logits: torch.Tensor = self.head(self.dropout(pooled)).squeeze(1)
        return logits
