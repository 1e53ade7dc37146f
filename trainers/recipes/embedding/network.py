"""The embedding recipe's networks: statistics of a window's loud and quiet phases, and an embedding of it."""

from __future__ import annotations

import torch
from torch import nn

_DB_SCALE = 10.0
# Rooms hum below this band; the machine's own strokes are above it.
_MIN_BAND = 8
_SMOOTH = 5
_QUIET, _LOUD = 0.1, 0.8
_STEEPNESS = 2.0
_MIN_WEIGHT = 1e-3
_MIN_VARIANCE = 1e-2

PHASES = 4
"""Loud means, loud deviations, quiet means, quiet deviations."""


class PhaseStatistics(nn.Module):
    """Means and standard deviations of each band over the loud and over the quiet phases of a window.

    Many machines work in strokes. In an average over a whole window the length of the strokes hides their sound;
    separately, each phase is compared with its own kind. The border is midway between the tenth and the eightieth
    percentile of the frames' levels; it is soft, half a dB wide, so that no frame jumps across. In a steady machine the
    two phases are the louder and quieter half of its frames.
    """

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """float32 (batch, 4, n_mels), dB, of windows float32 (batch, n_frames, n_mels), dB.

        The mean over bands is subtracted from the means, so that level does not matter.
        """
        weight = self._loudness_weight(log_mel).unsqueeze(2)
        parts = []
        for share in (weight, 1.0 - weight):
            total = share.sum(dim=1).clamp(min=_MIN_WEIGHT)
            mean = (share * log_mel).sum(dim=1) / total
            variance = (share * (log_mel - mean.unsqueeze(1)).square()).sum(dim=1) / total
            parts += [mean - mean.mean(dim=1, keepdim=True), (variance + _MIN_VARIANCE).sqrt()]
        return torch.stack(parts, dim=1)

    @staticmethod
    def _loudness_weight(log_mel: torch.Tensor) -> torch.Tensor:
        """Weight of each frame in the loud phase, float32 (batch, n_frames), 0 to 1."""
        level = log_mel[:, :, min(_MIN_BAND, log_mel.shape[2] // 2) :].mean(dim=2)
        level = nn.functional.avg_pool1d(
            level.unsqueeze(1), _SMOOTH, stride=1, padding=_SMOOTH // 2, count_include_pad=False
        ).squeeze(1)
        ordered = level.sort(dim=1).values
        last = log_mel.shape[1] - 1
        border = 0.5 * (ordered[:, int(_QUIET * last)] + ordered[:, int(_LOUD * last)])
        return torch.sigmoid(_STEEPNESS * (level - border.unsqueeze(1)))


def _down(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class EmbeddingNet(nn.Module):
    """Two branches, one convolutional over time and bands, one for the phases, joined in one embedding.

    Args:
        n_mels: bands.
        width: channels of the first layer.
        size: of the embedding.
    """

    def __init__(self, n_mels: int, width: int = 16, size: int = 48) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _down(1, width), _down(width, 2 * width), _down(2 * width, 2 * width), _down(2 * width, 4 * width)
        )
        bands = -(-n_mels // 16)
        self.phases = PhaseStatistics()
        self.spectra = nn.Sequential(
            nn.Linear(PHASES * n_mels, 4 * size, bias=False), nn.BatchNorm1d(4 * size), nn.ReLU()
        )
        self.join = nn.Linear(2 * 4 * width * bands + 4 * size, size)

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Embeddings of length 1, float32 (batch, size), of windows float32 (batch, n_frames, n_mels) in dB."""
        maps = self.body(log_mel.unsqueeze(1) / _DB_SCALE)
        pooled = torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1).flatten(1)
        spectra = self.spectra(self.phases(log_mel).flatten(1) / _DB_SCALE)
        joined = self.join(torch.cat([pooled, spectra], dim=1))
        return nn.functional.normalize(joined, dim=1)
