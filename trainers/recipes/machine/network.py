"""The machine recipe's network: a convolutional autoencoder that gives its own error."""

from __future__ import annotations

import torch
from torch import nn

_DB_SCALE = 10.0
_FLOOR = 1e-6


def _down(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


def _up(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2.0, mode="nearest"),
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class MachineNet(nn.Module):
    """Rebuilds a window through a bottleneck of 6 x 4 places.

    Args:
        width: channels of the first layer; later ones have more.
        code: channels at the bottleneck: 24 * ``code`` numbers stand for 6,144.
        smooth: frames over which the difference is averaged before it is squared. A window of noise scatters by
            5 dB a frame whatever the machine does; a fault stays.
    """

    def __init__(self, width: int = 16, code: int = 20, smooth: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            _down(1, width), _down(width, width), _down(width, 2 * width), _down(2 * width, 2 * width)
        )
        self.squeeze = nn.Conv2d(2 * width, code, 1)
        self.decoder = nn.Sequential(
            nn.Conv2d(code, 2 * width, 1),
            nn.ReLU(),
            _up(2 * width, 2 * width),
            _up(2 * width, width),
            _up(width, width),
            nn.Conv2d(width, 4, 3, padding=1),
            # The last doubling is a rearrangement: convolutions at full size would be most of the cost.
            nn.PixelShuffle(2),
        )
        self.smooth = smooth

    def rebuilt(self, log_mel: torch.Tensor) -> torch.Tensor:
        """What the network makes of windows, float32 (batch, n_frames, n_mels), dB."""
        scaled = log_mel.unsqueeze(1) / _DB_SCALE
        scaled_back: torch.Tensor = self.decoder(self.squeeze(self.encoder(scaled))).squeeze(1)
        return scaled_back * _DB_SCALE

    def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Score and bands.

        Args:
            log_mel: float32 (batch, n_frames, n_mels), dB, level-normalised.

        Returns:
            score: float32 (batch,), 10 log10 of the mean squared error in dB^2.
            bands: float32 (batch, n_mels), the mean squared error of each band, dB^2.
        """
        difference = log_mel - self.rebuilt(log_mel)
        smoothed = torch.nn.functional.avg_pool1d(difference.transpose(1, 2), self.smooth)
        bands = smoothed.square().mean(dim=2)
        return 10.0 * torch.log10(bands.mean(dim=1) + _FLOOR), bands
