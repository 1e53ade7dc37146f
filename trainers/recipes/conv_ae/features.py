"""Input of the networks of abnormal_sound_detect: samples, mel power or log-mels, corrected or as in that system."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from processors.core.audio.mel import mel_filterbank
from schemas.features import FeatureSpec
from trainers.features.stft import fourier_kernels, hann_window
from trainers.recipes.conv_ae.options import Features, Mode, Seconds

SAMPLE_RATE = 16_000
N_FFT, N_MELS = 400, 40
SPAN_DB = 80.0
"""Range below a window's maximum; lower values are clipped."""

_COMPAT_HOP = {1: 202, 2: 201}
_COMPAT_FILTER_RATE = 22_050
_FLOOR = 1e-10
_MIN_RMS = 1e-5
FRAMES_PER_SECOND = 80


def spec_of(features: Features, mode: Mode, seconds: Seconds) -> FeatureSpec:
    """The worker's features: log-mels where the network can use them, samples where the graph computes its own.

    Args:
        features, mode, seconds: see :class:`trainers.recipes.conv_ae.options.ConvAeOptions`.
    """
    if features != "raw" and mode == "correct":
        frames = FRAMES_PER_SECOND * seconds
        return FeatureSpec(
            n_fft=N_FFT,
            win_length=N_FFT,
            hop=SAMPLE_RATE // FRAMES_PER_SECOND,
            n_mels=N_MELS,
            fmin=0.0,
            n_frames=frames,
            window_hop=frames // 2,
        )
    rows = SAMPLE_RATE * seconds // N_FFT
    return FeatureSpec(
        transform="waveform",
        n_fft=N_FFT,
        win_length=N_FFT,
        hop=N_FFT,
        level="none",
        n_frames=rows,
        window_hop=rows // 2,
    )


def front_of(features: Features, mode: Mode, seconds: Seconds) -> nn.Module:
    """From the worker's windows to the network's input, float32 (batch, n_mels, frames), or (batch, samples)."""
    if features == "raw":
        return RawFeatures(by_level=mode == "correct")
    if mode == "correct":
        return CorrectFeatures(power=features == "mel")
    return CompatFeatures(seconds, power=features == "mel")


class RawFeatures(nn.Module):
    """Samples of a window.

    Args:
        by_level: divide by the window's rms; otherwise the error grows with loudness.
    """

    def __init__(self, *, by_level: bool) -> None:
        super().__init__()
        self._by_level = by_level

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """float32 (batch, samples) of rows of samples."""
        samples = rows.flatten(1)
        if not self._by_level:
            return samples
        rms = samples.square().mean(dim=1, keepdim=True).sqrt()
        return samples / rms.clamp(min=_MIN_RMS)


class CorrectFeatures(nn.Module):
    """Log-mels of the serving engine, relative to the window's loudest, down to 80 dB below it.

    Args:
        power: give power, 0 to 1, instead of dB.
    """

    def __init__(self, *, power: bool) -> None:
        super().__init__()
        self._power = power

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """float32 (batch, n_mels, frames) of log-mels (batch, frames, n_mels)."""
        bands = log_mel.transpose(1, 2)
        below = (bands - bands.amax(dim=(1, 2), keepdim=True)).clamp(min=-SPAN_DB)
        return torch.pow(10.0, below * 0.1) if self._power else below


class CompatFeatures(nn.Module):
    """The features abnormal_sound_detect computes of a chunk, with its deviations from the intended ones.

    Its call of librosa omits the sample rate: the mel filters are those of 22,050 Hz, applied to a spectrum of
    16,000 Hz. The hop is 202 samples in chunks of one second and 201 in those of two, frames are centred with silence
    around them, and dB are relative to the chunk's own maximum, which removes the level.

    Args:
        seconds: 1 or 2.
        power: mel power itself, level included.
    """

    kernels: torch.Tensor
    filters: torch.Tensor

    def __init__(self, seconds: int, *, power: bool) -> None:
        super().__init__()
        self._hop = _COMPAT_HOP[seconds]
        self._power = power
        spec = FeatureSpec(
            sample_rate=_COMPAT_FILTER_RATE,
            n_fft=N_FFT,
            win_length=N_FFT,
            n_mels=N_MELS,
            fmin=0.0,
            fmax=_COMPAT_FILTER_RATE / 2,
            n_frames=1,
            window_hop=1,
        )
        self.register_buffer("kernels", torch.from_numpy(fourier_kernels(N_FFT, hann_window(N_FFT))))
        self.register_buffer("filters", torch.from_numpy(np.ascontiguousarray(mel_filterbank(spec))))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """float32 (batch, n_mels, frames) of rows of samples."""
        padded = nn.functional.pad(rows.flatten(1), (N_FFT // 2, N_FFT // 2)).unsqueeze(1)
        real, imaginary = nn.functional.conv1d(padded, self.kernels, stride=self._hop).chunk(2, dim=1)
        power = torch.matmul(self.filters, real.square() + imaginary.square())
        if self._power:
            return power
        decibels = 10.0 * torch.log10(power.clamp(min=_FLOOR))
        below = decibels - decibels.amax(dim=(1, 2), keepdim=True)
        return below.clamp(min=-SPAN_DB)
