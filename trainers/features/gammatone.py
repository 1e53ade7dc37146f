"""Gammatone filters as weights of a power spectrum, for cepstral coefficients on the ERB scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_ORDER = 4
_BANDWIDTH = 1.019


def erb(hz: npt.ArrayLike) -> Float64:
    """Equivalent rectangular bandwidth (ERB) of the auditory filter at a frequency, Hz.

    B. R. Glasberg and B. C. J. Moore, Derivation of auditory filter shapes from notched-noise data, Hearing Research
    47, 1990: 24.7 (4.37 f / 1000 + 1).
    """
    return 24.7 * (4.37e-3 * np.asarray(hz, dtype=np.float64) + 1.0)


def centres(count: int, lowest: float, highest: float) -> Float64:
    """Frequencies evenly spaced on the ERB scale, Hz, float64 (count,), from low to high."""
    ends = np.log(1.0 + 4.37e-3 * np.array([lowest, highest]))
    return np.asarray((np.exp(np.linspace(ends[0], ends[1], count)) - 1.0) / 4.37e-3)


def gammatone_weights(count: int, n_fft: int, sample_rate: int, lowest: float = 50.0) -> Float64:
    """Power gains of gammatone filters of order 4 at the bins of a transform, float64 (count, n_fft // 2 + 1).

    The magnitude of the filter's transfer function near its centre, (1 + ((f - fc) / b)^2)^-2 with b = 1.019 ERB(fc)
    (R. D. Patterson et al., Complex sounds and auditory images, 1992), squared, each filter's gains summing to 1.

    Args:
        count: filters.
        n_fft: samples of the transform.
        sample_rate: Hz.
        lowest: centre of the lowest filter, Hz; the highest is at half the rate minus its own bandwidth.
    """
    bins = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)
    nyquist = sample_rate / 2
    middle = centres(count, lowest, nyquist - float(erb(nyquist)))[:, None]
    gains = (1.0 + ((bins[None, :] - middle) / (_BANDWIDTH * erb(middle))) ** 2) ** -_ORDER
    return np.asarray(gains / gains.sum(axis=1, keepdims=True))
