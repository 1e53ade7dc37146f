"""Sounds with random access: any interval can be rendered, in any order, with the same result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Gain = Callable[[Float64], Float64]
"""Amplitude factor at times in seconds, elementwise."""

SAMPLE_RATE = 16_000
"""Sample rate of all synthetic sound, Hz."""

_MEASURED_SECONDS = 4


class Sound(Protocol):
    """A sound without beginning or end."""

    def at(self, first: int, n: int) -> Float64:
        """Samples ``first`` to ``first + n - 1``, float64 (n,)."""
        ...


def seconds(first: int, n: int) -> Float64:
    """Times of ``n`` samples from ``first`` on, float64 (n,)."""
    return np.arange(first, first + n, dtype=np.float64) / SAMPLE_RATE


def rms(sound: Sound) -> float:
    """Root mean square over the first 4 s."""
    return float(np.sqrt(np.mean(sound.at(0, _MEASURED_SECONDS * SAMPLE_RATE) ** 2)))


@dataclass(frozen=True, slots=True)
class Mix:
    """Weighted sum.

    Attributes:
        parts: (amplitude, sound) each.
    """

    parts: tuple[tuple[float, Sound], ...]

    def at(self, first: int, n: int) -> Float64:
        """See :class:`Sound`."""
        total = np.zeros(n)
        for amplitude, sound in self.parts:
            total += amplitude * sound.at(first, n)
        return total


@dataclass(frozen=True, slots=True)
class Modulated:
    """A sound times a time-varying gain."""

    sound: Sound
    gain: Gain

    def at(self, first: int, n: int) -> Float64:
        """See :class:`Sound`."""
        return self.sound.at(first, n) * self.gain(seconds(first, n))


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Samples placed at a point in time, with silence before and after.

    Attributes:
        samples: float64 (length,).
        start: its first sample.
    """

    samples: Float64
    start: int = 0

    def at(self, first: int, n: int) -> Float64:
        """See :class:`Sound`."""
        out = np.zeros(n)
        begin, end = max(first, self.start), min(first + n, self.start + len(self.samples))
        if begin < end:
            out[begin - first : end - first] = self.samples[begin - self.start : end - self.start]
        return out


def at_level(sound: Sound, dbfs: float, highest_peak: float = np.inf) -> Mix:
    """The sound at an rms level of ``dbfs`` (decibels relative to full scale 1.0).

    Args:
        sound: the sound.
        dbfs: rms over its first 4 s.
        highest_peak: the level is reduced if a peak in these 4 s would exceed this.
    """
    samples = sound.at(0, _MEASURED_SECONDS * SAMPLE_RATE)
    by_level = 10.0 ** (dbfs / 20.0) / max(float(np.sqrt(np.mean(samples**2))), 1e-12)
    by_peak = highest_peak / max(float(np.abs(samples).max()), 1e-12)
    return Mix(((min(by_level, by_peak), sound),))
