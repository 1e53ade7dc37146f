"""What the networks of abnormal_sound_detect look at: samples, mel power or log-mels, as it was and as it should be."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from processors.core.audio.mel import mel_filterbank
from schemas.features import FeatureSpec

SAMPLE_RATE = 16_000
N_FFT, N_MELS = 400, 40
SPAN_DB = 80.0
"""The range below a window's maximum that is kept."""

_COMPAT_HOP = {1: 202, 2: 201}
_COMPAT_FILTER_RATE = 22_050
_FLOOR = 1e-10
_LEAST_RMS = 1e-5
_FRAMES_A_SECOND = 80


def spec_of(features: str, mode: str, seconds: int) -> FeatureSpec:
    """What the worker computes: log-mels where the graph can take them, plain samples where it must do its own.

    Args:
        features: ``raw``, ``mel`` or ``log-mel``.
        mode: ``correct`` or ``compat``.
        seconds: 1 or 2.
    """
    if features != "raw" and mode == "correct":
        frames = _FRAMES_A_SECOND * seconds
        return FeatureSpec(
            n_fft=N_FFT,
            win_length=N_FFT,
            hop=SAMPLE_RATE // _FRAMES_A_SECOND,
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


def front_of(features: str, mode: str, seconds: int) -> nn.Module:
    """From the worker's windows to what the network rebuilds, float32 (batch, n_mels, frames), or (batch, samples)."""
    if features == "raw":
        return Raw(by_level=mode == "correct")
    if mode == "correct":
        return Correct(power=features == "mel")
    return Compat(seconds, power=features == "mel")


class Raw(nn.Module):
    """Samples.

    Args:
        by_level: divided by the window's rms: else the error grows with loudness, whatever is heard.
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
        return samples / rms.clamp(min=_LEAST_RMS)


class Correct(nn.Module):
    """Log-mels of the serving engine, relative to the window's loudest, down to 80 dB below it.

    Args:
        power: as power, 0 to 1, not in dB.
    """

    def __init__(self, *, power: bool) -> None:
        super().__init__()
        self._power = power

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        """float32 (batch, n_mels, frames) of log-mels (batch, frames, n_mels)."""
        bands = log_mel.transpose(1, 2)
        below = (bands - bands.amax(dim=(1, 2), keepdim=True)).clamp(min=-SPAN_DB)
        return torch.pow(10.0, below * 0.1) if self._power else below


class Compat(nn.Module):
    """What abnormal_sound_detect computes of a chunk, deviations and all.

    Its call of librosa leaves the sample rate out: the mel filters are those of 22,050 Hz, laid on a spectrum of
    16,000 Hz. The hop is 202 samples in chunks of one second and 201 in those of two, frames are centred with silence
    around, and dB are relative to the chunk's own maximum, which takes the level away.

    Args:
        seconds: 1 or 2.
        power: mel power itself, level and all.
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
        self.register_buffer("kernels", torch.from_numpy(_fourier_kernels()))
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


def _fourier_kernels() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Cosines, then sines, under a periodic Hann window, as filters of a convolution, float32 (402, 1, 400)."""
    angle = 2.0 * np.pi * np.arange(N_FFT) / N_FFT
    turns = np.outer(np.arange(N_FFT // 2 + 1), angle)
    window = 0.5 - 0.5 * np.cos(angle)
    return (np.concatenate([np.cos(turns), np.sin(turns)]) * window)[:, None, :].astype(np.float32)
