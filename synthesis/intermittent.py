"""Intermittent machines: a slide rail and a solenoid valve, as in MIMII."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synthesis.draws import seed_of
from synthesis.gains import pulses
from synthesis.harmonics import series
from synthesis.impacts import Impacts, Resonance
from synthesis.machine import Machine, random_machine
from synthesis.noise import Noise
from synthesis.sound import Mix, Modulated, Sound, at_level, rms
from synthesis.spectra import band, peaked, tilted

_HIGHEST_PEAK = 0.6
_LEVEL_DBFS = (-35.0, -20.0)


def mimii_machine(seed: int, kind: str) -> Machine:
    """A machine of one of MIMII's types, or of any of :data:`synthesis.machine.KINDS`.

    Purohit et al., MIMII dataset, DCASE 2019 (arXiv 1909.09347): fans and pumps run
    steadily, slide rails and valves move.

    Args:
        seed: 0 <= seed < 2**62.
        kind: ``slider``, ``valve``, or a kind of :func:`synthesis.machine.random_machine`.

    Raises:
        KeyError: the kind is unknown.
    """
    if kind not in INTERMITTENT:
        return random_machine(seed, kind)
    rng = np.random.default_rng(seed)
    turns_hz, dry = INTERMITTENT[kind](seed_of(seed, 0), rng)
    sound = at_level(dry, rng.uniform(*_LEVEL_DBFS), _HIGHEST_PEAK)
    return Machine(kind, turns_hz, 20.0 * float(np.log10(rms(sound))), sound)


def _slider(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    """A carriage on balls that moves out, stops and moves back; the ball pass rate sets the rate of its faults."""
    period, balls_hz = rng.uniform(1.2, 2.4), rng.uniform(15.0, 40.0)
    moving = pulses(period, 0.35 * period, 0.05 * period, rng.uniform(0.0, period))
    returning = pulses(period, 0.30 * period, 0.05 * period, rng.uniform(0.45, 0.55) * period)
    rolling = Noise(seed_of(seed, 0), peaked(tilted(-4.0, 200.0), rng.uniform(800.0, 3_000.0), 0.8, 9.0))
    drive = series(seed_of(seed, 1), balls_hz * 4.0, 10, rng.uniform(0.6, 1.2))
    stop = Impacts(
        seed_of(seed, 2),
        0.5 * period,
        (Resonance(rng.uniform(150.0, 500.0), 0.015), Resonance(rng.uniform(600.0, 1_800.0), 0.006, 0.5)),
        jitter=0.004,
        scatter_db=0.8,
    )
    out, back = Mix(((1.0, rolling), (0.5, drive))), Mix(((0.9, rolling), (0.6, drive)))
    parts = ((1.0, Modulated(out, moving)), (1.0, Modulated(back, returning)), (0.3, at_level(stop, 0.0)))
    return balls_hz, Mix(parts)


def _valve(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    """A plunger that opens and closes with a click and a puff in between."""
    period = rng.uniform(0.4, 1.2)
    rings = tuple(
        Resonance(hz, rng.uniform(0.002, 0.008), rng.uniform(0.4, 1.0)) for hz in rng.uniform(700.0, 5_000.0, 3)
    )
    opening = Impacts(seed_of(seed, 0), period, rings, jitter=0.004, scatter_db=1.0)
    closing = Impacts(seed_of(seed, 1), period, rings, jitter=0.004, scatter_db=1.0, offset=rng.uniform(0.3, 0.5))
    puff = Modulated(
        Noise(seed_of(seed, 2), band(rng.uniform(1_500.0, 3_000.0), 7_500.0)),
        pulses(period, 0.3 * period, 0.03 * period),
    )
    coil = series(seed_of(seed, 3), float(rng.choice([100.0, 120.0])), 8, rng.uniform(0.8, 1.4))
    parts = ((1.0, at_level(opening, 0.0)), (0.7, at_level(closing, 0.0)), (0.4, puff), (0.1, coil))
    return 1.0 / period, Mix(parts)


INTERMITTENT: dict[str, Callable[[int, np.random.Generator], tuple[float, Sound]]] = {
    "slider": _slider,
    "valve": _valve,
}
