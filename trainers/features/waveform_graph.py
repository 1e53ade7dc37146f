"""Clip features as a network layer, so that a waveform model is one file."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from trainers.features import mfcc
from trainers.features.stft import fourier_kernels


class ClipFeatures(nn.Module):
    """The features of :func:`trainers.features.mfcc.clip_features` of windows of samples.

    Args:
        density: as there.
    """

    spectrum: torch.Tensor
    mel: torch.Tensor
    dct: torch.Tensor

    def __init__(self, *, density: bool) -> None:
        super().__init__()
        self._density = density
        self.register_buffer(
            "spectrum", torch.from_numpy(fourier_kernels(mfcc.N_FFT, mfcc.window().astype(np.float32)))
        )
        self.register_buffer("mel", torch.from_numpy(np.ascontiguousarray(mfcc.filters())))
        self.register_buffer("dct", torch.from_numpy(mfcc.dct_matrix().astype(np.float32)))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """float32 (batch, 136) of float32 (batch, n_frames, n_fft): consecutive rows of samples."""
        samples = rows.flatten(1)
        return torch.cat([self._mfcc_means(samples), self._basics(samples)], dim=1)

    def _mfcc_means(self, samples: torch.Tensor) -> torch.Tensor:
        half = mfcc.WIN_LENGTH // 2
        padded = nn.functional.pad(samples, (half, half)).unsqueeze(1)
        parts = nn.functional.conv1d(padded, self.spectrum, stride=mfcc.HOP)
        real, imaginary = parts.chunk(2, dim=1)
        power = real.square() + imaginary.square()
        # ln(p + floor) in a form in which the exporter does not drop the floor.
        logarithms = torch.log1p(torch.matmul(self.mel, power) / mfcc.LOG_FLOOR) + math.log(mfcc.LOG_FLOOR)
        return torch.matmul(logarithms.mean(dim=2), self.dct.T)

    def _basics(self, samples: torch.Tensor) -> torch.Tensor:
        mean = samples.mean(dim=1, keepdim=True)
        centred = samples - mean
        sd = centred.square().mean(dim=1, keepdim=True).sqrt()
        z = centred / sd.clamp(min=mfcc.LEAST_SD)
        square = z.square()
        rms = samples.square().mean(dim=1, keepdim=True).clamp(min=mfcc.LEAST_POWER).sqrt()
        low, high = samples.amin(dim=1, keepdim=True), samples.amax(dim=1, keepdim=True)
        crest = samples.abs().amax(dim=1, keepdim=True) / rms
        kurtosis = square.square().mean(dim=1, keepdim=True) - 3.0
        skew = (square * z).mean(dim=1, keepdim=True)
        entropy = self._entropy(samples, low, high)
        return torch.cat([rms, kurtosis, skew, high - low, crest, mean, sd, entropy], dim=1)

    def _entropy(self, samples: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        span = (high - low).clamp(min=mfcc.LEAST_RANGE)
        bins = ((samples - low) / span * mfcc.BINS).clamp(max=mfcc.BINS - 1).to(torch.int64)
        counts = torch.zeros_like(samples[:, : mfcc.BINS]).scatter_add(1, bins, torch.ones_like(samples))
        shares = counts / samples.shape[1]
        if self._density:
            shares = shares * (mfcc.BINS / span)
        return -(shares * torch.log2(shares.clamp(min=mfcc.LEAST_SHARE))).sum(dim=1, keepdim=True)
