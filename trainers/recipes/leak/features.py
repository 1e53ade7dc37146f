"""The leak recipe's features, computed within a network from windows of samples."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from processors.core.audio.mel import mel_filterbank
from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from trainers.features.gammatone import gammatone_weights

FEATURES = ("time-frequency", "mfcc", "gfcc")
SAMPLE_RATE = 8_000
_ROW = 160
SPEC = FeatureSpec(
    sample_rate=SAMPLE_RATE,
    transform="waveform",
    level="none",
    n_fft=_ROW,
    win_length=_ROW,
    hop=_ROW,
    fmax=4_000.0,
    n_frames=273,
    window_hop=273,
)
"""Windows of 5.46 s, as long as the loggers' files, end to end."""

IMAGE = 224
_MFCC, _GFCC = 44, 64
# A little above what rounding to 16 bits puts into a bin: below it single precision has its own noise.
_FLOOR = 1e-6
_LEAST_SD = 1e-3


class LeakFeatures(nn.Module):
    """Images of windows.

    ``time-frequency``: decibels of a transform of 512 samples every 256, stretched to 224 x 224, each column of time
    with mean 0 and deviation 1. ``mfcc``, ``gfcc``: 44 cepstral coefficients of 64 mel bands, or 64 of as many
    gammatone filters, of 1,024 samples every 512, of the logarithms less their mean, standardised over the image.

    Args:
        kind: one of :data:`FEATURES`.

    Raises:
        SettingsError: there is no such feature.
    """

    kernels: torch.Tensor
    bands: torch.Tensor
    dct: torch.Tensor

    def __init__(self, kind: str) -> None:
        super().__init__()
        if kind not in FEATURES:
            raise SettingsError(f"no feature {kind!r}; there are {', '.join(FEATURES)}")
        self.kind = kind
        self._n_fft = 512 if kind == FEATURES[0] else 1_024
        self.register_buffer("kernels", _fourier_kernels(self._n_fft))
        if kind != FEATURES[0]:
            weights, kept = _weights(kind, self._n_fft)
            self.register_buffer("bands", torch.from_numpy(np.ascontiguousarray(weights, dtype=np.float32)))
            self.register_buffer("dct", _dct(len(weights))[:kept])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows (frequency, low first) and columns (time) of an image."""
        if self.kind == FEATURES[0]:
            return 1, IMAGE, IMAGE
        return 1, len(self.dct), SPEC.window_samples // (self._n_fft // 2) + 1

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """float32 (batch, 1, height, width) of float32 (batch, n_frames, n_fft): rows of samples."""
        half = self._n_fft // 2
        padded = nn.functional.pad(rows.flatten(1), (half, half)).unsqueeze(1)
        real, imaginary = nn.functional.conv1d(padded, self.kernels, stride=half).chunk(2, dim=1)
        power = real.square() + imaginary.square()
        if self.kind == FEATURES[0]:
            image = 10.0 * torch.log10(power.clamp(min=_FLOOR)).unsqueeze(1)
            image = nn.functional.interpolate(image, size=(IMAGE, IMAGE), mode="bilinear", align_corners=False)
            return _standardised(image, (2,))
        logarithms = 10.0 * torch.log10(torch.matmul(self.bands, power).clamp(min=_FLOOR))
        # Level would stand in the lowest coefficient alone, and outweigh all others.
        logarithms = logarithms - logarithms.mean(dim=(1, 2), keepdim=True)
        return _standardised(torch.matmul(self.dct, logarithms).unsqueeze(1), (2, 3))


def _standardised(image: torch.Tensor, over: tuple[int, ...]) -> torch.Tensor:
    off = image - image.mean(dim=over, keepdim=True)
    return off / off.square().mean(dim=over, keepdim=True).sqrt().clamp(min=_LEAST_SD)


def _weights(kind: str, n_fft: int) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.floating]], int]:
    if kind == "gfcc":
        return gammatone_weights(_GFCC, n_fft, SAMPLE_RATE), _GFCC
    mel = FeatureSpec(
        sample_rate=SAMPLE_RATE, n_fft=n_fft, win_length=n_fft, n_mels=64, fmax=4_000.0, n_frames=1, window_hop=1
    )
    return mel_filterbank(mel), _MFCC


def _dct(count: int) -> torch.Tensor:
    """Orthonormal DCT-II, float32 (count, count)."""
    at = math.pi / count * (np.arange(count) + 0.5)
    matrix = math.sqrt(2.0 / count) * np.cos(np.arange(count)[:, None] * at[None, :])
    matrix[0] /= math.sqrt(2.0)
    return torch.from_numpy(matrix.astype(np.float32))


def _fourier_kernels(n_fft: int) -> torch.Tensor:
    """Cosines, then sines, under a periodic Hann window, as filters of a convolution, float32 (n_fft + 2, 1, n_fft)."""
    angle = 2.0 * np.pi * np.outer(np.arange(n_fft // 2 + 1), np.arange(n_fft)) / n_fft
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)
    kernels = np.concatenate([np.cos(angle), np.sin(angle)]) * window
    return torch.from_numpy(kernels[:, None, :].astype(np.float32))
