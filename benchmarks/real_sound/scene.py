"""A device's day made of a few recordings: looped in random order, mixed, with level drift and inserted events."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

FADE_S = 0.05
LEVEL_DB = 6.0
APART_S = 1.0
_LEVEL_KNOTS_S = (120.0, 480.0)
_LEVEL_GRID_S = 0.1
_PARTNER_DB = 6.0
_LOUD_DB = 20.0


class Sound(Protocol):
    """Sound by sample index."""

    def at(self, start: int, stop: int) -> Float32:
        """Samples ``start`` to ``stop``, float32."""
        ...


class Loop:
    """An endless sound made of recordings.

    Pieces of half a recording to a whole one follow each other, every recording once before any repeats; half
    of the pieces, at random, are mixed with a piece of another one, 0 to 6 dB below, keeping the level of the first.
    A single recording is mixed with a part of itself a second away or more: a shorter delay is an echo,
    a comb filter that no machine has. Joins are crossfaded at constant power.

    Args:
        clips: float32 (n,) each, one or more, longer than four fades.
        rate: Hz.
        n_samples: its length.
        seed: of order, cuts and pairs.
    """

    def __init__(self, clips: Sequence[Float32], rate: int, n_samples: int, seed: int) -> None:
        self._clips, self._fade = clips, int(FADE_S * rate)
        rng = np.random.default_rng(seed)
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int, int, int, int, float]] = []
        start, order = -self._fade, list[int]()
        while start < n_samples:
            if not order:
                order = rng.permutation(len(clips)).tolist()
            one = order.pop()
            other = (one + 1 + int(rng.integers(max(1, len(clips) - 1)))) % len(clips)
            shortest = min(len(clips[one]), len(clips[other]))
            length = int(shortest * rng.uniform(0.5, 1.0))
            gain = 10.0 ** (-rng.uniform(0.0, _PARTNER_DB) / 20.0) if rng.random() < 0.5 else 0.0
            cut = int(rng.integers(len(clips[one]) - length + 1))
            other_cut = int(rng.integers(len(clips[other]) - length + 1))
            if other == one and abs(cut - other_cut) < APART_S * rate:
                gain = 0.0
            self._starts.append(start)
            self._pieces.append((one, cut, other, other_cut, length, gain))
            start += length - self._fade
        self._rise = np.sin(np.linspace(0.0, np.pi / 2.0, self._fade, dtype=np.float32))

    def at(self, start: int, stop: int) -> Float32:
        """See :class:`Sound`."""
        out = np.zeros(stop - start, dtype=np.float32)
        number = max(0, bisect_right(self._starts, start) - 2)
        while number < len(self._starts) and self._starts[number] < stop:
            first, length = self._starts[number], self._pieces[number][4]
            low, high = max(start, first), min(stop, first + length)
            if low < high:
                out[low - start : high - start] += self._piece(number)[low - first : high - first]
            number += 1
        return out

    def _piece(self, number: int) -> Float32:
        one, cut, other, other_cut, length, gain = self._pieces[number]
        piece = self._clips[one][cut : cut + length].copy()
        if gain:
            piece += np.float32(gain) * self._clips[other][other_cut : other_cut + length]
            piece *= np.float32((1.0 + gain * gain) ** -0.5)
        piece[: self._fade] *= self._rise
        piece[-self._fade :] *= self._rise[::-1]
        return piece


@dataclass(frozen=True, slots=True)
class Once:
    """A recording played once."""

    samples: Float32

    def at(self, start: int, stop: int) -> Float32:
        """See :class:`Sound`."""
        return self.samples[start:stop]


@dataclass(frozen=True, slots=True)
class Event:
    """A sound event with known start and end.

    Attributes:
        kind: its name.
        wanted: whether an alert is correct.
        start, end: sample indices.
        sound: ``end - start`` samples.
        replaces: whether it replaces the usual sound instead of being added to it.
    """

    kind: str
    wanted: bool
    start: int
    end: int
    sound: Sound
    replaces: bool = False


class Scene:
    """All sound at a device: its usual sound, events, and a level that drifts within ±6 dB over minutes.

    Args:
        usual: its normal sound.
        events: in order of time, none overlapping another.
        rate: Hz.
        n_samples: its length.
        seed: of the level.
    """

    def __init__(self, usual: Sound, events: Sequence[Event], rate: int, n_samples: int, seed: int) -> None:
        self.events, self.rate, self.n_samples = events, rate, n_samples
        self._usual, self._ends = usual, [event.end for event in events]
        rng = np.random.default_rng(seed)
        knots = [0.0]
        while knots[-1] < n_samples / rate:
            knots.append(knots[-1] + rng.uniform(*_LEVEL_KNOTS_S))
        levels = rng.uniform(-LEVEL_DB, LEVEL_DB, len(knots))
        self._grid = int(_LEVEL_GRID_S * rate)
        points = np.arange(n_samples // self._grid + 2) * (self._grid / rate)
        self._gains = (10.0 ** (np.interp(points, knots, levels) / 20.0)).astype(np.float32)

    def at(self, start: int, stop: int) -> Float32:
        """Samples ``start`` to ``stop``, float32; independent of how they are requested."""
        out = self._usual.at(start, stop)
        for event in self.events[bisect_right(self._ends, start) :]:
            if event.start >= stop:
                break
            low, high = max(start, event.start), min(stop, event.end)
            here = out[low - start : high - start]
            sound = event.sound.at(low - event.start, high - event.start)
            if event.replaces:
                share = self._share(event, low, high)
                here *= np.sqrt(1.0 - share * share)
                here += share * sound
            else:
                here += sound
        first, last = start // self._grid, -(-stop // self._grid)
        points = np.arange(first, last + 1) * self._grid
        out *= np.interp(np.arange(start, stop), points, self._gains[first : last + 1]).astype(np.float32)
        return out

    def _share(self, event: Event, low: int, high: int) -> Float32:
        """Amplitude of the replacing sound: 1 except in the fades."""
        at = np.arange(low, high)
        inside = np.minimum(at - event.start, event.end - 1 - at) / (FADE_S * self.rate)
        return np.sin(np.minimum(inside, 1.0) * (np.pi / 2.0)).astype(np.float32)


def sessions(n_samples: int, rate: int, seed: int) -> list[tuple[int, int]]:
    """Sessions of 20 to 120 minutes, first and last sample (exclusive), without gaps between them."""
    rng = np.random.default_rng(seed)
    found, start = [], 0
    while start < n_samples:
        end = min(n_samples, start + int(rng.uniform(1_200.0, 7_200.0) * rate))
        found.append((start, end))
        start = end
    return found


def level_of(samples: Float32, rate: int) -> float:
    """RMS of the active parts: pieces of 50 ms within 20 dB of the loudest; float32 (n,), n >= a piece."""
    length = rate // 20
    power = np.square(samples[: len(samples) // length * length].reshape(-1, length)).mean(axis=1, dtype=np.float64)
    return float(np.sqrt(power[power >= power.max() / 10.0 ** (_LOUD_DB / 10.0)].mean()))
