"""A harmonic series with drifting speed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthesis.sound import Float64, seconds
from synthesis.wander import Wander

_HIGHEST_HZ = 7_600.0


@dataclass(frozen=True, slots=True)
class Harmonics:
    """Partials at multiples of a fundamental.

    Attributes:
        f0: Hz.
        amplitudes: of partial 1, 2, 3 and so on; partials above 7,600 Hz are omitted.
        phases: radians, one a partial.
        drift: of the speed.
        depth: rms drift as a share of the speed.
        modulation_hz, modulation: amplitude and phase modulation at a shaft's rate (sidebands), and its depth.
    """

    f0: float
    amplitudes: tuple[float, ...]
    phases: tuple[float, ...]
    drift: Wander
    depth: float
    modulation_hz: float = 0.0
    modulation: float = 0.0

    def at(self, first: int, n: int) -> Float64:
        """See :class:`synthesis.sound.Sound`."""
        t = seconds(first, n)
        warped = t + self.depth * self.drift.integral(t)
        turn = 2.0 * np.pi * self.f0 * warped
        swing = np.sin(2.0 * np.pi * self.modulation_hz * warped)
        step = np.exp(1j * (turn + self.modulation * swing))
        total, partial = np.zeros(n), np.ones(n, dtype=np.complex128)
        for number, (amplitude, phase) in enumerate(zip(self.amplitudes, self.phases, strict=True), start=1):
            if number * self.f0 > _HIGHEST_HZ:
                break
            partial *= step
            total += amplitude * (partial.imag * np.cos(phase) + partial.real * np.sin(phase))
        return np.asarray(total * (1.0 + self.modulation * swing))


def series(
    seed: int,
    f0: float,
    count: int,
    decay: float,
    *,
    depth: float = 0.002,
    modulation_hz: float = 0.0,
    modulation: float = 0.0,
) -> Harmonics:
    """A random series: amplitudes fall as number ** -decay with 4 dB of scatter.

    Args:
        seed: of amplitudes, phases and wander.
        f0: Hz.
        count: partials.
        decay: exponent.
        depth: rms drift as a share of the speed.
        modulation_hz, modulation: see :class:`Harmonics`.
    """
    rng = np.random.default_rng(seed)
    numbers = np.arange(1, count + 1)
    amplitudes = numbers**-decay * 10.0 ** (rng.normal(0.0, 4.0, count) / 20.0)
    return Harmonics(
        f0=f0,
        amplitudes=tuple(amplitudes.tolist()),
        phases=tuple(rng.uniform(0.0, 2.0 * np.pi, count).tolist()),
        drift=Wander(int(rng.integers(2**62)), 0.07, 0.9),
        depth=depth,
        modulation_hz=modulation_hz,
        modulation=modulation,
    )
