"""Machine faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synthesis.draws import seed_of
from synthesis.gains import pulses, ramp, tremolo
from synthesis.harmonics import series
from synthesis.impacts import Impacts, Resonance
from synthesis.machine import Machine
from synthesis.noise import Noise
from synthesis.sound import SAMPLE_RATE, Mix, Modulated, Sound, at_level
from synthesis.spectra import band

RAMP_SECONDS = 2.0
"""Time from the onset of a fault to its full strength."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault's own sound.

    Attributes:
        kind: ``bearing``, ``rub``, ``cavitation``, ``tooth`` or ``leak``.
        sound: at unit rms.
    """

    kind: str
    sound: Sound

    def onto(self, machine: Machine, onset_sample: int, severity_db: float) -> Sound:
        """The machine with this fault, which starts at ``onset_sample`` and grows for two seconds.

        Args:
            machine: the machine.
            onset_sample: first sample that differs.
            severity_db: the fault's rms relative to the machine's.
        """
        growing = Modulated(self.sound, ramp(onset_sample / SAMPLE_RATE, RAMP_SECONDS))
        amplitude = 10.0 ** ((machine.level_dbfs + severity_db) / 20.0)
        return Mix(((1.0, machine.sound), (amplitude, growing)))


def random_fault(seed: int, machine: Machine, kind: str | None = None) -> Fault:
    """A random fault of a machine.

    Args:
        seed: 0 <= seed < 2**62.
        machine: its shaft speed sets the fault's rate.
        kind: see :class:`Fault`; None draws one.

    Raises:
        KeyError: the kind is unknown.
    """
    rng = np.random.default_rng(seed)
    drawn = str(rng.choice(list(FAULTS)))
    chosen = drawn if kind is None else kind
    return Fault(chosen, at_level(FAULTS[chosen](seed_of(seed, 0), rng, machine.shaft_hz), 0.0))


def _bearing(seed: int, rng: np.random.Generator, shaft_hz: float) -> Sound:
    rate = float(np.clip(shaft_hz * rng.uniform(3.0, 6.0), 30.0, 200.0))
    rings = (
        Resonance(rng.uniform(1_800.0, 5_500.0), rng.uniform(0.001, 0.003)),
        Resonance(rng.uniform(900.0, 2_500.0), rng.uniform(0.001, 0.003), rng.uniform(0.2, 0.6)),
    )
    return Impacts(seed, 1.0 / rate, rings, jitter=0.015, load_hz=shaft_hz, load=rng.uniform(0.1, 0.7))


def _rub(seed: int, rng: np.random.Generator, shaft_hz: float) -> Sound:
    """Imbalance with strong low orders, and a rub with noise once a turn."""
    orders = series(seed_of(seed, 0), shaft_hz, 12, rng.uniform(0.8, 1.4))
    low = rng.uniform(400.0, 1_500.0)
    scrape = Noise(seed_of(seed, 1), band(low, low * rng.uniform(2.0, 4.0)))
    touch = Modulated(scrape, pulses(1.0 / shaft_hz, 0.25 / shaft_hz, 0.05 / shaft_hz))
    return Mix(((0.7, at_level(orders, 0.0)), (1.0, at_level(touch, 0.0))))


def _cavitation(seed: int, rng: np.random.Generator, shaft_hz: float) -> Sound:
    """Collapsing bubbles: dense random crackle in broadband noise, modulated at the shaft rate."""
    bubbles = Impacts(
        seed_of(seed, 0),
        1.0 / rng.uniform(150.0, 400.0),
        (Resonance(rng.uniform(2_500.0, 6_000.0), 0.0008), Resonance(rng.uniform(1_000.0, 2_500.0), 0.0015, 0.6)),
        jitter=0.5,
        scatter_db=10.0,
        share=0.7,
    )
    rush = Noise(seed_of(seed, 1), band(rng.uniform(700.0, 1_800.0), 7_000.0))
    modulated = Modulated(rush, tremolo(shaft_hz, rng.uniform(0.3, 0.8)))
    return Mix(((1.0, at_level(bubbles, 0.0)), (rng.uniform(0.5, 1.0), modulated)))


def _tooth(seed: int, rng: np.random.Generator, shaft_hz: float) -> Sound:
    """A damaged gear tooth: one hard knock a turn."""
    rings = tuple(
        Resonance(hz, rng.uniform(0.002, 0.008), rng.uniform(0.4, 1.0))
        for hz in rng.uniform(600.0, 4_500.0, 3).tolist()
    )
    return Impacts(seed, 1.0 / shaft_hz, rings, jitter=0.005, scatter_db=1.5)


def _leak(seed: int, rng: np.random.Generator, _shaft_hz: float) -> Sound:
    return Noise(seed, band(rng.uniform(1_500.0, 4_500.0), rng.uniform(5_500.0, 8_000.0)))


FAULTS: dict[str, Callable[[int, np.random.Generator, float], Sound]] = {
    "bearing": _bearing,
    "rub": _rub,
    "cavitation": _cavitation,
    "tooth": _tooth,
    "leak": _leak,
}
