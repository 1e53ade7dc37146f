"""Rooms: air noise, mains hum, a clock, and people talking."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from synthesis.draws import seed_of, uniforms
from synthesis.harmless import harmless
from synthesis.harmonics import series
from synthesis.impacts import Impacts, Resonance
from synthesis.noise import Noise
from synthesis.sound import SAMPLE_RATE, Clip, Float64, Mix, Sound, at_level
from synthesis.spectra import peaked, tilted

_SLOT_SECONDS = 4
_LONGEST_PHRASE_SLOTS = 2


class Babble:
    """People talking: in each slot of four seconds each voice may speak a phrase.

    Args:
        seed: of all phrases.
        voices: number of voices.
        share: probability that a voice speaks in a slot.
        until: second after which no phrase starts; None: no limit.
    """

    def __init__(self, seed: int, voices: int, share: float, until: float | None = None) -> None:
        self._seeds = [seed_of(seed, voice) for voice in range(voices)]
        self._share = share
        self._until = np.inf if until is None else until * SAMPLE_RATE

    def at(self, first: int, n: int) -> Float64:
        """See :class:`synthesis.sound.Sound`."""
        slot = _SLOT_SECONDS * SAMPLE_RATE
        out = np.zeros(n)
        for number in range(first // slot - _LONGEST_PHRASE_SLOTS, (first + n) // slot + 1):
            for seed in self._seeds:
                chance, position, loudness = uniforms(seed, 3 * number + np.arange(3, dtype=np.int64))
                start = int((number + 0.5 * position) * slot)
                if chance < self._share and start < self._until:
                    phrase = Clip(_phrase(seed_of(seed, 3 * number + 10**6)), start)
                    out += (0.4 + 0.6 * loudness) * phrase.at(first, n)
        return out


@lru_cache(maxsize=32)
def _phrase(seed: int) -> Float64:
    samples = harmless(seed, "speech")
    samples.flags.writeable = False
    return samples


def ambience(seed: int) -> Sound:
    """Air noise and mains hum at -58 to -45 dBFS, sometimes with a clock."""
    rng = np.random.default_rng(seed)
    air = Noise(seed_of(seed, 0), peaked(tilted(rng.uniform(-9.0, -4.0), 60.0), rng.uniform(200.0, 2_000.0), 1.0, 5.0))
    hum = series(seed_of(seed, 1), float(rng.choice([50.0, 60.0])), 12, rng.uniform(0.8, 1.5), depth=0.0002)
    parts: list[tuple[float, Sound]] = [(1.0, air), (rng.uniform(0.05, 0.8), hum)]
    if rng.random() < 0.5:
        rings = (Resonance(rng.uniform(1_500.0, 4_000.0), 0.002), Resonance(rng.uniform(500.0, 1_500.0), 0.004, 0.5))
        clock = Impacts(seed_of(seed, 2), float(rng.choice([0.5, 1.0])), rings, jitter=0.001, scatter_db=1.0)
        parts.append((rng.uniform(0.3, 1.0), at_level(clock, 0.0)))
    return at_level(Mix(tuple(parts)), rng.uniform(-58.0, -45.0))


def random_room(seed: int) -> Sound:
    """A room with ambience and babble that peaks at -35 to -15 dBFS."""
    rng = np.random.default_rng(seed)
    voices, share = int(rng.integers(1, 5)), rng.uniform(0.2, 0.9)
    loudness = 10.0 ** (rng.uniform(-35.0, -15.0) / 20.0)
    return Mix(((1.0, ambience(seed_of(seed, 0))), (loudness, Babble(seed_of(seed, 1), voices, share))))
