"""The sound of the synthetic devices: a machine's or a room's, in a loop, with faults and screams at known times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from synthesis.draws import seed_of
from synthesis.machine import random_machine
from synthesis.room import ambience
from synthesis.scream import scream

RATE = 16_000
"""Hz in which sound is made; other rates are interpolated."""
_LOOP_S = 12
_SCREAM_S = 2.0
_MACHINE_KINDS = ("press", "fan", "pump", "compressor", "conveyor", "motor")

Float = npt.NDArray[np.float64]


class DeviceSound:
    """Sound of one device, endless.

    Args:
        seed: of the sound.
        kind: ``machine`` or ``room``.
        rate: Hz.
        channels: all alike.
        events: begin and length of faults or screams, seconds.
    """

    def __init__(self, seed: int, kind: str, rate: int, channels: int, events: Sequence[tuple[float, float]]) -> None:
        self._loop = _loop(seed % 12, kind)
        self._kind, self._rate, self._channels, self._events = kind, rate, channels, tuple(events)
        self._rng = np.random.default_rng(seed)

    def pcm(self, first: int, n: int) -> bytes:
        """Samples ``first`` to ``first + n - 1``, little-endian, channels interleaved."""
        at = (first + np.arange(n)) / self._rate
        loop = self._loop[(at * RATE).astype(np.int64) % len(self._loop)]
        sound = loop + self._rng.normal(0.0, 0.002, n)
        for begin, length in self._events:
            inside = (at >= begin) & (at < begin + length)
            if inside.any():
                sound[inside] += self._event(at[inside] - begin)
        samples = np.clip(np.round(sound * 32_767), -32_768, 32_767).astype("<i2")
        return np.repeat(samples[:, None], self._channels, axis=1).tobytes()

    def _event(self, at: Float) -> Float:
        if self._kind == "room":
            voice = _scream()
            return voice[(at * RATE).astype(np.int64) % len(voice)]
        knocks: Float = 0.4 * np.sin(2 * np.pi * 3_000 * at) * (np.mod(at, 0.05) < 0.01)
        return knocks + 0.15 * np.sin(2 * np.pi * 1_234 * at)


@lru_cache
def _loop(seed: int, kind: str) -> Float:
    if kind == "room":
        sound = ambience(seed_of(seed, 1)).at(0, _LOOP_S * RATE)
    else:
        machine = random_machine(seed_of(seed, 2), _MACHINE_KINDS[seed % len(_MACHINE_KINDS)])
        sound = machine.sound.at(0, _LOOP_S * RATE)
    return np.asarray(sound, dtype=np.float64)


@lru_cache
def _scream() -> Float:
    return 0.5 * np.asarray(scream(1, _SCREAM_S), dtype=np.float64)
