"""Voices: a glottal source on a pitch contour, filtered by formants."""

from __future__ import annotations

import numpy as np

from synthesis.sound import SAMPLE_RATE, Float64

_NYQUIST_MARGIN_HZ = 7_800.0


def contour(knots: Float64, n: int) -> Float64:
    """Smooth curve through equally spaced knots, float64 (n,): cosine interpolation."""
    at = np.linspace(0.0, len(knots) - 1.0, n)
    index = np.minimum(at.astype(np.int64), len(knots) - 2)
    blend = 0.5 - 0.5 * np.cos(np.pi * (at - index))
    return np.asarray(knots[index] * (1.0 - blend) + knots[index + 1] * blend)


def random_curve(rng: np.random.Generator, n: int, hz: float) -> Float64:
    """Random curve of about unit sd that changes ``hz`` times a second, float64 (n,)."""
    return contour(rng.standard_normal(max(3, int(n / SAMPLE_RATE * hz) + 2)), n)


def voiced(f0: Float64, tilt_db: float, formants: tuple[tuple[float, float, float], ...]) -> Float64:
    """Harmonics of a changing pitch, weighted by a source tilt and resonances.

    Args:
        f0: Hz at every sample, float64 (n,).
        tilt_db: dB an octave from the first harmonic on, negative: falling.
        formants: (centre Hz, width Hz, gain dB) each; Fant's source-filter model with Lorentzian resonances.

    Returns:
        float64 (n,), unit rms.
    """
    phase = np.cumsum(f0) * (2.0 * np.pi / SAMPLE_RATE)
    total = np.zeros(len(f0))
    for number in range(1, int(_NYQUIST_MARGIN_HZ / max(float(f0.min()), 20.0)) + 1):
        hz = number * f0
        db = np.full(len(f0), tilt_db * np.log2(number))
        for centre, width, gain in formants:
            db += gain / (1.0 + ((hz - centre) / width) ** 2)
        total += np.where(hz < _NYQUIST_MARGIN_HZ, 10.0 ** (db / 20.0), 0.0) * np.sin(number * phase)
    return unit_rms(total)


def band_noise(rng: np.random.Generator, n: int, low_hz: float, high_hz: float) -> Float64:
    """Band-limited noise, float64 (n,), unit rms."""
    hz = np.fft.rfftfreq(n, 1.0 / SAMPLE_RATE)
    shape = 1.0 / (1.0 + (low_hz / np.maximum(hz, 1.0)) ** 4) / (1.0 + (hz / high_hz) ** 4)
    return unit_rms(np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * shape, n))


def unit_rms(samples: Float64) -> Float64:
    """Scaled to unit rms."""
    return np.asarray(samples / max(float(np.sqrt(np.mean(samples**2))), 1e-12))


def fade_in_out(n: int, rise: float, fall: float) -> Float64:
    """Envelope: up in ``rise`` seconds, down in the last ``fall`` seconds, float64 (n,)."""
    t = np.arange(n) / SAMPLE_RATE
    up, down = np.clip(t / rise, 0.0, 1.0), np.clip((n / SAMPLE_RATE - t) / fall, 0.0, 1.0)
    return np.asarray(np.sin(0.5 * np.pi * up) * np.sin(0.5 * np.pi * down))


def peak(samples: Float64) -> Float64:
    """Scaled to a peak of 1."""
    return np.asarray(samples / max(float(np.abs(samples).max()), 1e-12))
