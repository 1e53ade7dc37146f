"""Log-mel frames, batched: many frames of many devices in one transform and one matrix product."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]

_LINEAR_HZ = 200.0 / 3.0
_BREAK_HZ = 1_000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27.0
# One transform's working set stays within the second-level cache. The matrix product always has this many rows: BLAS
# rounds differently in products of other shapes, and a frame must not depend on the frames beside it.
_BLOCK_FRAMES = 32


def hz_to_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mel on Slaney's scale: linear to 1 kHz, logarithmic above.

    Reference: M. Slaney, Auditory Toolbox, Interval Research technical report 1998-010.
    """
    hz = np.asarray(hz, dtype=np.float64)
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, above)


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Inverse of :func:`hz_to_mel`."""
    mel = np.asarray(mel, dtype=np.float64)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)


def band_edges(spec: FeatureSpec) -> npt.NDArray[np.float64]:
    """Corner frequencies in Hz, shape (n_mels + 2,): band m rises from m to m + 1 and falls to m + 2."""
    return mel_to_hz(np.linspace(hz_to_mel(spec.fmin), hz_to_mel(spec.fmax), spec.n_mels + 2))


@lru_cache(maxsize=16)
def mel_filterbank(spec: FeatureSpec) -> Float32:
    """Triangular filters of unit area, float32 (n_mels, n_fft // 2 + 1)."""
    edges = band_edges(spec)
    bins = np.linspace(0, spec.sample_rate / 2, spec.n_fft // 2 + 1)
    slopes = edges[:, None] - bins[None, :]
    widths = np.diff(edges)[:, None]
    rising = -slopes[:-2] / widths[:-1]
    falling = slopes[2:] / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    area = 2.0 / (edges[2:] - edges[:-2])
    return (triangles * area[:, None]).astype(np.float32)


class LogMel:
    """Turns frames of samples into log-mel frames; agrees with librosa within 1e-3 dB.

    Args:
        spec: the feature specification; ``level``, ``pool``, ``n_frames`` and ``window_hop`` are not used.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._filters = np.ascontiguousarray(mel_filterbank(spec).T)
        angle = 2.0 * np.pi * np.arange(spec.n_fft) / spec.n_fft
        self._window = (0.5 - 0.5 * np.cos(angle)).astype(np.float32)
        self._floor = np.float32(spec.log_floor)
        self._n_mels = spec.n_mels

    def __call__(self, frames: Float32) -> Float32:
        """Log-mel power of each frame.

        Args:
            frames: float32 (n, n_fft), samples in [-1, 1].

        Returns:
            float32 (n, n_mels), dB: 10 log10 of the band's power, never below the floor.
        """
        count = len(frames)
        whole = np.empty((-(-count // _BLOCK_FRAMES) * _BLOCK_FRAMES, self._n_mels), dtype=np.float32)
        squared = np.zeros((_BLOCK_FRAMES, len(self._filters)), dtype=np.float32)
        for start in range(0, count, _BLOCK_FRAMES):
            block = slice(start, start + _BLOCK_FRAMES)
            spectrum = np.fft.rfft(frames[block] * self._window, axis=1)
            squared[: len(spectrum)] = spectrum.real**2 + spectrum.imag**2
            np.matmul(squared, self._filters, out=whole[block])
        power = whole[:count]
        np.maximum(power, self._floor, out=power)
        np.log10(power, out=power)
        power *= np.float32(10.0)
        return power


def normalise_level(windows: Float32, spec: FeatureSpec) -> Float32:
    """Applies the level normalisation of a specification.

    Args:
        windows: float32 (n, n_frames, width), dB.
        spec: ``window-mean`` subtracts each window's mean, of pooled rows from the means alone, since gain does not
            change a standard deviation of dB; ``none`` leaves them as they are.

    Returns:
        float32 (n, n_frames, width).
    """
    if spec.level == "none":
        return np.ascontiguousarray(windows, dtype=np.float32)
    level = windows[:, :, : spec.n_mels].mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    if spec.pool == 1:
        normalised: Float32 = windows - level
        return normalised
    return np.concatenate([windows[:, :, : spec.n_mels] - level, windows[:, :, spec.n_mels :]], axis=2)
