"""Clips of a machine recorded in a factory, healthy or with a fault."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from synthesis.draws import seed_of
from synthesis.fault import FAULTS, RAMP_SECONDS, random_fault
from synthesis.intermittent import mimii_machine
from synthesis.machine import KINDS, Machine, random_machine
from synthesis.noise import Noise
from synthesis.sound import SAMPLE_RATE, Float64, Mix, Sound, at_level
from synthesis.spectra import tilted

Int16 = npt.NDArray[np.int16]

_FULL_SCALE = 32_767.0
_HIGHEST_PEAK = 0.98
_LEVEL_DBFS = -26.0
_LEVEL_SPREAD_DB = 1.5
_SEVERITY_SPREAD_DB = 3.0
_SENSOR_DBFS = -80.0
_NEIGHBOURS = 2


@dataclass(frozen=True, slots=True)
class RecordingSite:
    """One machine at its site; all its clips are cut from the same endless sound.

    Attributes:
        seed: of machine, faults and noise; 0 <= seed < 2**62.
        kind: see :func:`synthesis.intermittent.mimii_machine`.
    """

    seed: int
    kind: str

    def clip(
        self,
        number: int,
        seconds: float,
        snr_db: float,
        *,
        faulty: bool,
        severity_db: float = 0.0,
        channels: int = 1,
    ) -> Int16:
        """A clip; different numbers never share a sample.

        MIMII mixes each machine's clips with recorded factory noise at a signal-to-noise ratio; here the noise is two
        other machines and air. A clip's fault is one of five kinds, in turn, and does not make the machine louder.

        Args:
            number: of the clip, >= 0.
            seconds: its length.
            snr_db: the machine's level over the factory noise.
            faulty: whether the machine has a fault.
            severity_db: the fault's level over the machine's; varies by up to 3 dB between clips.
            channels: microphones, each with a gain and noise of its own.

        Returns:
            int16 (seconds * 16,000, channels).
        """
        n = int(seconds * SAMPLE_RATE)
        # Different intervals, so that a faulty clip is not a copy of a normal one; both after the fault's ramp.
        first = int(RAMP_SECONDS * SAMPLE_RATE) + (2 * number + int(faulty)) * n
        rng = np.random.default_rng([self.seed, number, int(faulty)])
        machine, noise = _machine(self.seed, self.kind), _background(self.seed, self.kind)
        sound: Sound = machine.sound
        if faulty:
            kind = list(FAULTS)[number % len(FAULTS)]
            fault = random_fault(seed_of(self.seed, 100 + number), machine, kind)
            level_db = severity_db + float(rng.uniform(-_SEVERITY_SPREAD_DB, _SEVERITY_SPREAD_DB))
            faulty_sound = fault.onto(machine, 0, level_db)
            # Keeps the level, which would otherwise reveal the fault.
            sound = Mix(((10.0 ** (-0.5 * np.log10(1.0 + 10.0 ** (level_db / 10.0))), faulty_sound),))
        loudness_db = machine.level_dbfs + 10.0 * float(np.log10(1.0 + 10.0 ** (-snr_db / 10.0)))
        loudness_db += float(rng.uniform(-_LEVEL_SPREAD_DB, _LEVEL_SPREAD_DB))
        # At most 1, since the machine's peaks are at their limit already.
        gain = min(1.0, 10.0 ** ((_LEVEL_DBFS - loudness_db) / 20.0))
        amplitude = 10.0 ** ((machine.level_dbfs - snr_db) / 20.0)
        return _pcm(Mix(((gain, sound), (gain * amplitude, noise))).at(first, n), channels, rng)


@lru_cache(maxsize=64)
def _machine(seed: int, kind: str) -> Machine:
    return mimii_machine(seed_of(seed, 0), kind)


@lru_cache(maxsize=64)
def _background(seed: int, kind: str) -> Sound:
    """Background noise of the site, at unit rms."""
    kinds = [other for other in KINDS if other != kind]
    rng = np.random.default_rng([seed, 1])
    parts: list[tuple[float, Sound]] = [(1.0, at_level(Noise(seed_of(seed, 1), tilted(-5.0, 100.0)), 0.0))]
    for number in range(_NEIGHBOURS):
        other = random_machine(seed_of(seed, 2 + number), str(rng.choice(kinds)))
        parts.append((float(rng.uniform(0.3, 0.8)), at_level(other.sound, 0.0)))
    return at_level(Mix(tuple(parts)), 0.0)


def _pcm(mixed: Float64, channels: int, rng: np.random.Generator) -> Int16:
    gains = 10.0 ** (rng.uniform(-1.0, 1.0, channels) / 20.0)
    sensors = 10.0 ** (_SENSOR_DBFS / 20.0) * rng.standard_normal((len(mixed), channels))
    recorded = mixed[:, None] * gains + sensors
    pcm: Int16 = np.round(np.clip(recorded, -_HIGHEST_PEAK, _HIGHEST_PEAK) * _FULL_SCALE).astype(np.int16)
    return pcm
