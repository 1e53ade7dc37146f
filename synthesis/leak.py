"""A logger on a water pipe at night, with and without a leak."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from synthesis.draws import seed_of
from synthesis.gains import tremolo
from synthesis.harmonics import series
from synthesis.noise import Noise
from synthesis.sound import SAMPLE_RATE, Mix, Modulated, Sound, at_level
from synthesis.spectra import band, peaked, tilted

Int16 = npt.NDArray[np.int16]

LOGGER_RATE = 8_000
"""Hz of a logger's recordings."""

_FULL_SCALE = 32_767.0
_LEAK_OVER_PIPE_DB = (-4.0, 6.0)
_TAPS = 65


def logger_clip(seed: int, number: int, seconds: float, *, leaking: bool) -> Int16:
    """A clip of a logger; different numbers never share a sample.

    The pipe rumbles and its network hums; a leak adds turbulent noise in a band that depends on pipe and distance, as
    recorded by loggers at metal pipes (Hunaidi and Chu, Acoustical characteristics of leak signals in plastic water
    distribution pipes, Applied Acoustics 58, 1999, give 50 to 600 Hz for plastic; metal carries more than that).

    Args:
        seed: of the site: 0 <= seed < 2**62.
        number: of the clip, >= 0.
        seconds: its length.
        leaking: whether the pipe leaks there.

    Returns:
        int16 (round(seconds * 8,000),).
    """
    rng = np.random.default_rng(seed)
    level_dbfs = rng.uniform(-38.0, -26.0)
    rumble = Noise(seed_of(seed, 0), peaked(tilted(-7.0, 60.0), rng.uniform(80.0, 300.0), 0.7, 6.0))
    hum = series(seed_of(seed, 1), float(rng.choice([50.0, 60.0])), 8, rng.uniform(0.8, 1.5))
    pipe = Mix(((1.0, at_level(rumble, 0.0)), (rng.uniform(0.05, 0.4), at_level(hum, 0.0))))
    centre = rng.uniform(300.0, 1_800.0)
    hiss = Noise(seed_of(seed, 2), band(0.6 * centre, 1.5 * centre))
    leak = Modulated(hiss, tremolo(rng.uniform(0.5, 3.0), rng.uniform(0.05, 0.25)))
    n = 2 * round(seconds * LOGGER_RATE)
    drift = np.random.default_rng([seed, number])
    parts: list[tuple[float, Sound]] = [(float(10.0 ** (drift.uniform(-2.0, 2.0) / 20.0)), pipe)]
    if leaking:
        parts.append((float(10.0 ** (drift.uniform(*_LEAK_OVER_PIPE_DB) / 20.0)), at_level(leak, 0.0)))
    samples = 10.0 ** (level_dbfs / 20.0) * _decimated(Mix(tuple(parts)).at(number * n, n))
    pcm: Int16 = np.round(np.clip(samples, -0.98, 0.98) * _FULL_SCALE).astype(np.int16)
    return pcm


def _decimated(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Decimates by two, with a windowed-sinc low-pass of 65 taps at 0.45 of the new rate."""
    t = np.arange(_TAPS) - _TAPS // 2
    cut = 0.45 * LOGGER_RATE / SAMPLE_RATE
    taps = 2.0 * cut * np.sinc(2.0 * cut * t) * np.hamming(_TAPS)
    return np.asarray(np.convolve(samples, taps / taps.sum(), mode="same")[::2])
