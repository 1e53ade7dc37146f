"""Noise spectra: relative amplitude over frequency."""

from __future__ import annotations

import numpy as np

from synthesis.sound import Float64, Gain


def tilted(db_per_octave: float, corner_hz: float = 100.0) -> Gain:
    """Flat below ``corner_hz``, then ``db_per_octave`` (negative: falling)."""

    def spectrum(hz: Float64) -> Float64:
        octaves = np.log2(np.maximum(hz, corner_hz) / corner_hz)
        return np.asarray(10.0 ** (db_per_octave * octaves / 20.0))

    return spectrum


def peaked(base: Gain, centre_hz: float, octaves: float, db: float) -> Gain:
    """``base`` raised by ``db`` around ``centre_hz``, Gaussian over log frequency, ``octaves`` wide."""

    def spectrum(hz: Float64) -> Float64:
        distance = np.log2(np.maximum(hz, 1.0) / centre_hz) / octaves
        return base(hz) * 10.0 ** (db * np.exp(-0.5 * distance**2) / 20.0)

    return spectrum


def band(low_hz: float, high_hz: float) -> Gain:
    """Passes ``low_hz`` to ``high_hz``, 24 dB an octave outside."""

    def spectrum(hz: Float64) -> Float64:
        below = np.minimum(1.0, np.maximum(hz, 1.0) / low_hz) ** 4
        above = np.minimum(1.0, high_hz / np.maximum(hz, 1.0)) ** 4
        return np.asarray(below * above)

    return spectrum
