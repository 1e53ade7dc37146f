"""Features of the clip-statistics recipe: mean MFCCs and eight statistics of the waveform."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.audio.mel import mel_filterbank
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SAMPLE_RATE = 16_000
N_FFT = 512
WIN_LENGTH = 400
HOP = 160
N_MFCC = 128
BASICS = ("rms", "kurtosis", "skew", "peak_to_peak", "crest", "mean", "sd", "entropy")
WIDTH = N_MFCC + len(BASICS)
BINS = 256
LOG_FLOOR = 1e-8
LEAST_SD = 1e-7
"""Minimum standard deviation in normalised moments, so that those of silence are 0."""
LEAST_RANGE = 1e-9
LEAST_POWER = 1e-12
LEAST_SHARE = 1e-12

_SPEC = FeatureSpec(n_fft=N_FFT, win_length=N_FFT, hop=HOP, n_mels=N_MFCC, fmin=0.0, n_frames=1, window_hop=1)


def filters() -> Float32:
    """Mel filters on Slaney's scale, 0 to 8 kHz, float32 (128, 257); the lowest ones are between two bins and empty."""
    return mel_filterbank(_SPEC)


def window() -> Float64:
    """Periodic Hann window of 25 ms, float64 (400,); centred in the 512 samples of a transform."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WIN_LENGTH) / WIN_LENGTH)


def dct_matrix() -> Float64:
    """Orthonormal DCT-II, float64 (128, 128): row k times a column of logarithms is coefficient k."""
    at = np.pi / N_MFCC * (np.arange(N_MFCC) + 0.5)
    matrix = np.sqrt(2.0 / N_MFCC) * np.cos(np.arange(N_MFCC)[:, None] * at[None, :])
    matrix[0] /= np.sqrt(2.0)
    return np.asarray(matrix)


def clip_features(samples: npt.ArrayLike, *, density: bool) -> Float32:
    """The 136 features of a clip, as in IAIA2.

    128 means over time of the MFCCs: the orthonormal DCT-II of ln(mel power + 1e-8), frames of 25 ms every 10 ms with
    their centres at multiples of the hop, the ends padded with silence, as librosa does. Then rms, excess kurtosis,
    skewness, peak to peak, crest factor, mean, standard deviation, and the entropy of a histogram of 256 bins.

    Args:
        samples: (n,), in [-1, 1], 16 kHz, n >= 512.
        density: IAIA2 computes the entropy from the histogram's densities instead of its shares: -sum p log2 p over
            values that are not probabilities, with results in the negative thousands. True computes that; False the
            entropy in bits, 0 to 8.

    Returns:
        float32 (136,).
    """
    x = np.asarray(samples, dtype=np.float64)
    return np.concatenate([_mfcc_means(x), _basics(x, density=density)]).astype(np.float32)


def _mfcc_means(x: Float64) -> Float64:
    half = N_FFT // 2
    padded = np.concatenate([np.zeros(half), x, np.zeros(half)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    padding = (N_FFT - WIN_LENGTH) // 2
    spectra = np.fft.rfft(frames * np.pad(window(), padding), axis=1)
    mel = (spectra.real**2 + spectra.imag**2) @ filters().T
    # The transform is linear: the mean of the coefficients is that of the mean logarithm.
    return np.asarray(dct_matrix() @ np.log(mel + LOG_FLOOR).mean(axis=0))


def _basics(x: Float64, *, density: bool) -> Float64:
    mean, sd = x.mean(), x.std()
    z = (x - mean) / max(float(sd), LEAST_SD)
    rms = np.sqrt(max(float(np.mean(x**2)), LEAST_POWER))
    span = max(float(np.ptp(x)), LEAST_RANGE)
    counts = np.bincount(np.minimum(((x - x.min()) / span * BINS).astype(np.int64), BINS - 1), minlength=BINS)
    shares = counts / len(x) * (BINS / span if density else 1.0)
    entropy = -np.sum(shares * np.log2(np.maximum(shares, LEAST_SHARE)))
    crest = np.abs(x).max() / rms
    return np.array([rms, np.mean(z**4) - 3.0, np.mean(z**3), np.ptp(x), crest, mean, sd, entropy])
