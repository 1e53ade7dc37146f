"""The short-time Fourier transform as filters of a convolution, for networks that compute their own features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def hann_window(length: int) -> Float64:
    """Periodic Hann window, float64 (length,)."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)


def fourier_kernels(n_fft: int, window: npt.NDArray[np.floating[Any]]) -> Float32:
    """Windowed cosines, then windowed sines, of the bins 0 to n_fft / 2, float32 (n_fft + 2, 1, len(window)).

    A window shorter than the transform starts at sample 0 instead of in the middle, which turns phases and leaves
    powers as they are.

    Args:
        n_fft: length of the transform, even.
        window: float32 or float64 (win_length,), win_length <= n_fft; the product has its precision.
    """
    angle = 2.0 * np.pi * (np.outer(np.arange(n_fft // 2 + 1), np.arange(len(window))) / n_fft)
    waves = np.concatenate([np.cos(angle), np.sin(angle)]).astype(window.dtype)
    kernels: Float32 = (waves * window)[:, None, :].astype(np.float32)
    return kernels
