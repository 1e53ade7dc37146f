"""Healthy machines of six kinds, with random parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synthesis.draws import seed_of
from synthesis.gains import pulses, tremolo
from synthesis.harmonics import series
from synthesis.impacts import Impacts, Resonance
from synthesis.noise import Noise
from synthesis.reverb import Reverberated, impulse_response
from synthesis.sound import Mix, Modulated, Sound, at_level, rms
from synthesis.spectra import band, peaked, tilted
from synthesis.wander import Wander, level_drift

_HIGHEST_PEAK = 0.6


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine in its room.

    Attributes:
        kind: ``fan``, ``pump``, ``compressor``, ``conveyor``, ``press`` or ``motor``.
        shaft_hz: turns (or strokes) a second.
        level_dbfs: rms level.
        sound: at its microphone.
    """

    kind: str
    shaft_hz: float
    level_dbfs: float
    sound: Sound


def random_machine(seed: int, kind: str | None = None) -> Machine:
    """A machine with random speed, spectrum, level (-35 to -20 dBFS, peaks up to 0.6) and room.

    Args:
        seed: 0 <= seed < 2**62.
        kind: see :class:`Machine`; None draws one.

    Raises:
        KeyError: the kind is unknown.
    """
    rng = np.random.default_rng(seed)
    drawn = str(rng.choice(list(KINDS)))
    shaft_hz, dry = KINDS[drawn if kind is None else kind](seed_of(seed, 0), rng)
    floor = Noise(seed_of(seed, 1), tilted(rng.uniform(-7.0, -1.0), 80.0))
    level = rng.uniform(-35.0, -20.0)
    response = impulse_response(seed_of(seed, 2), rng.uniform(0.03, 0.12), rng.uniform(0.2, 1.0))
    wet = Reverberated(at_level(dry, 0.0), response)
    # Background noise of the hall, 12 to 30 dB below the machine.
    background = 10.0 ** (rng.uniform(-30.0, -12.0) / 20.0)
    # The peak limit lowers the level of presses, which knock.
    sound = at_level(Mix(((1.0, wet), (background, floor))), level, _HIGHEST_PEAK)
    return Machine(drawn if kind is None else kind, shaft_hz, 20.0 * float(np.log10(rms(sound))), sound)


def _fan(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    shaft_hz, blades = rng.uniform(10.0, 30.0), int(rng.integers(4, 10))
    blade_pass = series(
        seed_of(seed, 0), shaft_hz * blades, 10, rng.uniform(1.0, 1.8), modulation_hz=shaft_hz, modulation=0.08
    )
    turbulence = Noise(
        seed_of(seed, 1), peaked(tilted(rng.uniform(-6.0, -3.0)), rng.uniform(200.0, 900.0), 1.0, rng.uniform(0.0, 9.0))
    )
    gusts = Modulated(turbulence, level_drift(Wander(seed_of(seed, 2), 0.1, 1.5), rng.uniform(0.3, 0.9)))
    return shaft_hz, Mix(((rng.uniform(0.2, 1.0), blade_pass), (1.0, gusts)))


def _pump(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    shaft_hz, vanes = float(rng.choice([24.4, 24.9, 29.2, 48.7])) * rng.uniform(0.97, 1.0), int(rng.integers(5, 8))
    motor = series(seed_of(seed, 0), shaft_hz, 24, rng.uniform(0.5, 1.1))
    flow = Noise(seed_of(seed, 1), peaked(tilted(rng.uniform(-7.0, -4.0)), rng.uniform(500.0, 2_500.0), 0.8, 8.0))
    pulsating = Modulated(flow, tremolo(shaft_hz * vanes, rng.uniform(0.2, 0.5)))
    surge = Modulated(pulsating, tremolo(rng.uniform(0.8, 2.5), rng.uniform(0.05, 0.15), rng.uniform(0.0, 6.0)))
    return shaft_hz, Mix(((rng.uniform(0.5, 1.2), motor), (rng.uniform(0.6, 1.2), surge)))


def _compressor(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    stroke_hz = rng.uniform(6.0, 14.0)
    rings = tuple(
        Resonance(hz, rng.uniform(0.01, 0.03), rng.uniform(0.4, 1.0)) for hz in rng.uniform(70.0, 600.0, 3).tolist()
    )
    beat = Impacts(seed_of(seed, 0), 1.0 / stroke_hz, rings, jitter=0.005, scatter_db=0.8)
    valve = Noise(seed_of(seed, 1), peaked(tilted(-4.0), rng.uniform(1_200.0, 4_000.0), 0.6, 10.0))
    period = 1.0 / stroke_hz
    valve_noise = Modulated(valve, pulses(period, 0.3 * period, 0.15 * period, rng.uniform(0.0, period)))
    motor = series(seed_of(seed, 2), rng.uniform(24.0, 30.0), 16, rng.uniform(0.6, 1.2))
    parts = ((1.0, at_level(beat, 0.0)), (rng.uniform(0.2, 0.6), valve_noise), (rng.uniform(0.2, 0.6), motor))
    return stroke_hz, Mix(parts)


def _conveyor(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    shaft_hz, teeth = rng.uniform(5.0, 15.0), int(rng.integers(17, 42))
    mesh = series(
        seed_of(seed, 0),
        shaft_hz * teeth,
        8,
        rng.uniform(0.7, 1.5),
        modulation_hz=shaft_hz,
        modulation=rng.uniform(0.1, 0.3),
    )
    belt = Modulated(
        Noise(seed_of(seed, 1), tilted(rng.uniform(-6.0, -3.0), 150.0)), tremolo(rng.uniform(0.5, 2.0), 0.12)
    )
    rollers = Impacts(
        seed_of(seed, 2),
        rng.uniform(0.04, 0.12),
        (Resonance(rng.uniform(300.0, 1_200.0), 0.006), Resonance(rng.uniform(1_200.0, 2_600.0), 0.003, 0.5)),
        jitter=0.2,
        scatter_db=4.0,
    )
    parts = ((rng.uniform(0.4, 1.0), mesh), (1.0, belt), (rng.uniform(0.2, 0.5), at_level(rollers, 0.0)))
    return shaft_hz, Mix(parts)


def _press(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    period = rng.uniform(0.8, 1.6)
    hiss = Modulated(
        Noise(seed_of(seed, 0), band(rng.uniform(1_000.0, 2_500.0), rng.uniform(4_500.0, 7_500.0))),
        pulses(period, rng.uniform(0.12, 0.3) * period, 0.03, rng.uniform(0.0, period)),
    )
    rings = tuple(
        Resonance(hz, rng.uniform(0.015, 0.05), rng.uniform(0.3, 1.0)) for hz in rng.uniform(90.0, 1_500.0, 4).tolist()
    )
    stroke = Impacts(seed_of(seed, 1), period, rings, jitter=0.004, scatter_db=0.8, offset=rng.uniform(0.0, 1.0))
    drive = series(seed_of(seed, 2), rng.uniform(24.0, 30.0), 20, rng.uniform(0.5, 1.0))
    oil = Noise(seed_of(seed, 3), tilted(rng.uniform(-6.0, -3.0)))
    parts = ((0.6, at_level(hiss, 0.0)), (0.8, at_level(stroke, 0.0)), (rng.uniform(0.3, 0.6), drive), (0.4, oil))
    return 1.0 / period, Mix(parts)


def _motor(seed: int, rng: np.random.Generator) -> tuple[float, Sound]:
    mains = float(rng.choice([50.0, 60.0]))
    shaft_hz = mains / int(rng.integers(1, 4)) * rng.uniform(0.95, 0.995)
    hum = series(seed_of(seed, 0), 2.0 * mains, 10, rng.uniform(0.9, 1.6), depth=0.0003)
    turning = series(seed_of(seed, 1), shaft_hz, 20, rng.uniform(0.6, 1.2))
    slots = series(
        seed_of(seed, 2),
        shaft_hz * int(rng.integers(24, 49)),
        3,
        0.8,
        modulation_hz=2.0 * mains,
        modulation=rng.uniform(0.1, 0.4),
    )
    air = Noise(seed_of(seed, 3), peaked(tilted(rng.uniform(-7.0, -3.0)), rng.uniform(600.0, 3_000.0), 1.0, 6.0))
    parts = ((0.6, hum), (rng.uniform(0.3, 0.8), turning), (rng.uniform(0.1, 0.4), slots), (rng.uniform(0.3, 0.9), air))
    return shaft_hz, Mix(parts)


KINDS: dict[str, Callable[[int, np.random.Generator], tuple[float, Sound]]] = {
    "fan": _fan,
    "pump": _pump,
    "compressor": _compressor,
    "conveyor": _conveyor,
    "press": _press,
    "motor": _motor,
}
