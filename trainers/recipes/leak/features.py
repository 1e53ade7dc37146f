"""The leak recipe's features, computed within a network from windows of samples."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import nn

from processors.core.audio.mel import mel_filterbank
from schemas.features import FeatureSpec
from trainers.features.gammatone import gammatone_weights
from trainers.features.stft import fourier_kernels, hann_window

FeatureKind = Literal["time-frequency", "mfcc", "gfcc"]
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
_N_MFCC, _N_GFCC = 44, 64
# Slightly above the power of 16-bit rounding in a bin; below it single precision adds noise of its own.
_FLOOR = 1e-6
_MIN_SD = 1e-3


class LeakFeatures(nn.Module):
    """Turns windows into images.

    ``time-frequency``: decibels of a transform of 512 samples every 256, stretched to 224 x 224, each column of time
    with mean 0 and standard deviation 1. ``mfcc``, ``gfcc``: 44 cepstral coefficients of 64 mel bands, or 64 of as many
    gammatone filters, of 1,024 samples every 512, of the logarithms minus their mean, standardised over the image.

    Args:
        kind: of the images.
    """

    kernels: torch.Tensor
    bands: torch.Tensor
    dct: torch.Tensor

    def __init__(self, kind: FeatureKind) -> None:
        super().__init__()
        self.kind = kind
        self._n_fft = 512 if kind == "time-frequency" else 1_024
        self.register_buffer("kernels", torch.from_numpy(fourier_kernels(self._n_fft, hann_window(self._n_fft))))
        if kind != "time-frequency":
            weights, n_coefficients = _filterbank(kind, self._n_fft)
            self.register_buffer("bands", torch.from_numpy(np.ascontiguousarray(weights, dtype=np.float32)))
            self.register_buffer("dct", _dct(len(weights))[:n_coefficients])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows (frequency, low first) and columns (time) of an image."""
        if self.kind == "time-frequency":
            return 1, IMAGE, IMAGE
        return 1, len(self.dct), SPEC.window_samples // (self._n_fft // 2) + 1

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """float32 (batch, 1, height, width) of float32 (batch, n_frames, n_fft): rows of samples."""
        half = self._n_fft // 2
        padded = nn.functional.pad(rows.flatten(1), (half, half)).unsqueeze(1)
        real, imaginary = nn.functional.conv1d(padded, self.kernels, stride=half).chunk(2, dim=1)
        power = real.square() + imaginary.square()
        if self.kind == "time-frequency":
            image = 10.0 * torch.log10(power.clamp(min=_FLOOR)).unsqueeze(1)
            image = nn.functional.interpolate(image, size=(IMAGE, IMAGE), mode="bilinear", align_corners=False)
            return _standardise(image, (2,))
        logarithms = 10.0 * torch.log10(torch.matmul(self.bands, power).clamp(min=_FLOOR))
        # The level would be in the lowest coefficient alone, and outweigh all others.
        logarithms = logarithms - logarithms.mean(dim=(1, 2), keepdim=True)
        return _standardise(torch.matmul(self.dct, logarithms).unsqueeze(1), (2, 3))


def _standardise(image: torch.Tensor, over: tuple[int, ...]) -> torch.Tensor:
    centred = image - image.mean(dim=over, keepdim=True)
    return centred / centred.square().mean(dim=over, keepdim=True).sqrt().clamp(min=_MIN_SD)


def _filterbank(kind: FeatureKind, n_fft: int) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.floating]], int]:
    if kind == "gfcc":
        return gammatone_weights(_N_GFCC, n_fft, SAMPLE_RATE), _N_GFCC
    mel = FeatureSpec(
        sample_rate=SAMPLE_RATE, n_fft=n_fft, win_length=n_fft, n_mels=64, fmax=4_000.0, n_frames=1, window_hop=1
    )
    return mel_filterbank(mel), _N_MFCC


def _dct(count: int) -> torch.Tensor:
    """Orthonormal DCT-II, float32 (count, count)."""
    at = math.pi / count * (np.arange(count) + 0.5)
    matrix = math.sqrt(2.0 / count) * np.cos(np.arange(count)[:, None] * at[None, :])
    matrix[0] /= math.sqrt(2.0)
    return torch.from_numpy(matrix.astype(np.float32))
