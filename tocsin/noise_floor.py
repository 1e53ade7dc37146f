"""The noise floor of a recording, estimated where it is quietest, to extend a recording that ends too early."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from schemas.chunk import FULL_SCALE

Int16 = npt.NDArray[np.int16]
Float64 = npt.NDArray[np.float64]

_FRAME_S = 0.032
_QUIETEST = 0.1
# A recording whose quietest moments lie less than 20 dB below its loudest holds nothing but the event itself.
_KNOWN = 10.0 ** (-20.0 / 10.0)
_SILENT = 10.0 ** (-40.0 / 10.0)


def floor_noise(samples: Int16, sample_rate: int, count: int, *, lasting: bool) -> Int16:
    """Steady noise with the spectrum of the recording's quietest tenth; the same for the same samples.

    Where no moment lies 20 dB below the loudest, the floor is unknown. Sound that lasts then continues with its own
    spectrum; an event is assumed to be over, and white noise 40 dB below its loudest moment follows: with its own
    spectrum a voice would seem to continue, and digital silence is quieter than any room.

    Args:
        samples: int16 (n, channels), n >= 1.
        sample_rate: Hz.
        count: number of samples to generate.
        lasting: whether the sound lasts, as a machine's does, or is an event.

    Returns:
        int16 (count, channels).
    """
    size = max(min(int(_FRAME_S * sample_rate), len(samples)), 1)
    rng = np.random.default_rng(0)
    made = [
        _like(_floor(channel.astype(np.float64), size, lasting=lasting), rng.standard_normal(count))
        for channel in samples.T
    ]
    return np.clip(np.rint(np.stack(made, axis=1)), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _floor(channel: Float64, size: int, *, lasting: bool) -> Float64:
    """Power of the floor in ``size // 2 + 1`` bands, that of white noise of variance 1 being 1 in each."""
    window = np.hanning(size + 2)[1:-1]
    frames = np.lib.stride_tricks.sliding_window_view(channel, size)[:: max(size // 2, 1)]
    power: Float64 = np.abs(np.fft.rfft(frames * window)) ** 2 / float(window @ window)
    loudness = power.mean(axis=1)
    quietest = np.argsort(loudness, kind="stable")[: math.ceil(_QUIETEST * len(loudness))]
    floor: Float64 = power[quietest].mean(axis=0)
    loudest = float(loudness.max())
    if floor.mean() <= _KNOWN * loudest:
        return floor
    return np.asarray(power.mean(axis=0)) if lasting else np.full_like(floor, _SILENT * loudest)


def _like(power: Float64, white: Float64) -> Float64:
    """White noise, float64 (n,), with the power of each band."""
    spectrum = np.fft.rfft(white)
    bands = np.linspace(0.0, 1.0, len(power))
    gain = np.interp(np.linspace(0.0, 1.0, len(spectrum)), bands, np.sqrt(power))
    return np.fft.irfft(spectrum * gain, len(white))
