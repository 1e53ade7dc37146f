"""Trains of impacts that excite resonances: bearings, gear teeth, valves, steps, a clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthesis.draws import uniforms
from synthesis.sound import SAMPLE_RATE, Float64

_TAIL_DECAYS = 7.0


@dataclass(frozen=True, slots=True)
class Resonance:
    """A damped oscillation: ``hz``, ``decay`` in seconds to 1/e, ``amplitude``."""

    hz: float
    decay: float
    amplitude: float = 1.0


@dataclass(frozen=True, slots=True)
class Impacts:
    """Impact k is at (k + offset + jitter) * period and excites every resonance.

    The signal model of localised bearing faults (McFadden and Smith, J. Sound and Vibration 96, 1984): impulses at
    the defect's rate with slight random slip, weighted by the load zone, exciting a structural resonance.

    Attributes:
        seed: of slip and strength.
        period: seconds.
        resonances: excited by each impact.
        jitter: timing deviation as a share of the period, uniform to either side.
        scatter_db: deviation of strength, uniform to either side.
        share: probability that an impact occurs.
        load_hz, load: strength is 1 + load * sin(2 pi load_hz t): the passage through the load zone.
        offset: share of a period.
    """

    seed: int
    period: float
    resonances: tuple[Resonance, ...]
    jitter: float = 0.01
    scatter_db: float = 2.0
    share: float = 1.0
    load_hz: float = 0.0
    load: float = 0.0
    offset: float = 0.0

    def at(self, first: int, n: int) -> Float64:
        """See :class:`synthesis.sound.Sound`."""
        tail = int(_TAIL_DECAYS * max(resonance.decay for resonance in self.resonances) * SAMPLE_RATE)
        low = int(np.floor((first - tail) / SAMPLE_RATE / self.period - self.offset)) - 1
        high = int(np.ceil((first + n) / SAMPLE_RATE / self.period - self.offset)) + 2
        k = np.arange(low, high, dtype=np.int64)
        slip, strength, present = (uniforms(self.seed, 3 * k + part) for part in range(3))
        times = (k + self.offset + self.jitter * (2.0 * slip - 1.0)) * self.period
        weights = 10.0 ** (self.scatter_db * (2.0 * strength - 1.0) / 20.0) * (present < self.share)
        weights *= 1.0 + self.load * np.sin(2.0 * np.pi * self.load_hz * times)
        return self._ring(times, weights, first, n, tail)

    def _ring(self, times: Float64, weights: Float64, first: int, n: int, tail: int) -> Float64:
        starts = np.ceil(times * SAMPLE_RATE).astype(np.int64)
        index = starts[:, None] + np.arange(tail)
        # Time since the impact, which is between two samples.
        since = index / SAMPLE_RATE - times[:, None]
        rings = np.zeros_like(since)
        for resonance in self.resonances:
            swing = np.sin(2.0 * np.pi * resonance.hz * since)
            rings += resonance.amplitude * np.exp(-since / resonance.decay) * swing
        rings *= weights[:, None]
        inside = (index >= first) & (index < first + n)
        return np.asarray(np.bincount(index[inside] - first, weights=rings[inside], minlength=n), dtype=np.float64)
