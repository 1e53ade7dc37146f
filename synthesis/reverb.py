"""Reverberation with short random impulse responses."""

from __future__ import annotations

import numpy as np

from synthesis.sound import SAMPLE_RATE, Float64, Sound


def impulse_response(seed: int, length: float, wet: float) -> Float64:
    """Direct sound and a decaying diffuse tail of random colour, float64 (length * 16000,), unit energy.

    Args:
        seed: of tail and colour.
        length: seconds of tail; it falls by 60 dB over it (exponential decay, Schroeder 1965).
        wet: energy of the tail relative to the direct sound.
    """
    rng = np.random.default_rng(seed)
    n = int(length * SAMPLE_RATE)
    tail = rng.standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    knots = rng.normal(0.0, 5.0, 8) - np.linspace(0.0, 8.0, 8)
    hz = np.fft.rfftfreq(n, 1.0 / SAMPLE_RATE)
    colour = np.interp(np.log2(np.maximum(hz, 60.0)), np.linspace(np.log2(60.0), np.log2(8_000.0), 8), knots)
    tail = np.fft.irfft(np.fft.rfft(tail) * 10.0 ** (colour / 20.0), n)
    response = np.sqrt(wet) * tail / np.sqrt(np.sum(tail**2))
    response[0] += 1.0
    return np.asarray(response / np.sqrt(np.sum(response**2)))


class Reverberated:
    """A sound with reverberation.

    Args:
        sound: the source.
        response: float64 (taps,), see :func:`impulse_response`.
    """

    def __init__(self, sound: Sound, response: Float64) -> None:
        self._sound, self._response = sound, response

    def at(self, first: int, n: int) -> Float64:
        """See :class:`synthesis.sound.Sound`."""
        lead = len(self._response) - 1
        return convolved(self._sound.at(first - lead, n + lead), self._response)[lead : lead + n]


def convolved(samples: Float64, response: Float64) -> Float64:
    """Full convolution, float64 (len(samples) + len(response) - 1,)."""
    n = len(samples) + len(response) - 1
    size = 1 << (n - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[:n]
