"""The machine recipe's network: a convolutional autoencoder whose output is its own error."""

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
    """Reconstructs a window through a bottleneck of 6 x 4 positions.

    Args:
        width: channels of the first layer; later ones have more.
        code: channels at the bottleneck: 24 * ``code`` numbers represent 6,144.
        smooth: frames over which the difference is averaged before it is squared. Noise scatters by 5 dB from frame
            to frame; the effect of a fault persists.
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
            # The last upsampling rearranges channels: convolutions at full size would be most of the cost.
            nn.PixelShuffle(2),
        )
        self.smooth = smooth

    def reconstruct(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Windows float32 (batch, n_frames, n_mels), dB, reconstructed."""
        scaled = log_mel.unsqueeze(1) / _DB_SCALE
        output: torch.Tensor = self.decoder(self.squeeze(self.encoder(scaled))).squeeze(1)
        return output * _DB_SCALE

    def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Score and bands.

        Args:
            log_mel: float32 (batch, n_frames, n_mels), dB, level-normalised.

        Returns:
            score: float32 (batch,), 10 log10 of the mean squared error in dB^2.
            bands: float32 (batch, n_mels), the mean squared error of each band, dB^2.
        """
        difference = log_mel - self.reconstruct(log_mel)
        smoothed = torch.nn.functional.avg_pool1d(difference.transpose(1, 2), self.smooth)
        bands = smoothed.square().mean(dim=2)
        return 10.0 * torch.log10(bands.mean(dim=1) + _FLOOR), bands
