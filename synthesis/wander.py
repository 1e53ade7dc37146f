"""Slow random drift of a speed or a level, in closed form."""

from __future__ import annotations

import numpy as np

from synthesis.sound import Float64, Gain

_WAVES = 5


class Wander:
    """A sum of slow sine waves of random rate and phase, unit rms.

    Args:
        seed: of rates and phases.
        slowest_hz, fastest_hz: range of the rates.
    """

    def __init__(self, seed: int, slowest_hz: float, fastest_hz: float) -> None:
        rng = np.random.default_rng(seed)
        self._rates = 2.0 * np.pi * np.geomspace(slowest_hz, fastest_hz, _WAVES) * rng.uniform(0.8, 1.25, _WAVES)
        self._phases = rng.uniform(0.0, 2.0 * np.pi, _WAVES)
        self._amplitude = np.sqrt(2.0 / _WAVES)

    def __call__(self, t: Float64) -> Float64:
        """Value at times ``t`` in seconds, elementwise."""
        total = np.zeros_like(t)
        for rate, phase in zip(self._rates, self._phases, strict=True):
            total += np.sin(rate * t + phase)
        return np.asarray(self._amplitude * total)

    def integral(self, t: Float64) -> Float64:
        """Integral over time up to a constant, elementwise."""
        total = np.zeros_like(t)
        for rate, phase in zip(self._rates, self._phases, strict=True):
            total -= np.cos(rate * t + phase) / rate
        return np.asarray(self._amplitude * total)


def level_drift(wander: Wander, db: float) -> Gain:
    """A gain that drifts by ``db`` rms."""

    def gain(t: Float64) -> Float64:
        return np.asarray(10.0 ** (db * wander(t) / 20.0))

    return gain
