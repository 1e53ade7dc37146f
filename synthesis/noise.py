"""Coloured noise, generated in blocks that depend only on seed and block number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from synthesis.sound import SAMPLE_RATE, Float64, Gain

_BLOCK = 4_096
_TAPS = 513


class Noise:
    """Gaussian noise of unit rms with a given spectrum.

    Blocks of a counter-based generator (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011) are
    filtered by overlap-save on a fixed grid, so that every request gives the same samples.

    Args:
        seed: 0 <= seed < 2**63.
        spectrum: relative amplitude at frequencies in Hz, elementwise.
    """

    def __init__(self, seed: int, spectrum: Gain) -> None:
        self._seed = seed
        self._filter = np.fft.rfft(_taps(spectrum), 2 * _BLOCK)

    def at(self, first: int, n: int) -> Float64:
        """See :class:`synthesis.sound.Sound`."""
        blocks = range(first // _BLOCK, (first + n - 1) // _BLOCK + 1)
        whole = np.concatenate([self._block(block) for block in blocks])
        skip = first - blocks.start * _BLOCK
        return whole[skip : skip + n]

    def _block(self, block: int) -> Float64:
        source = np.concatenate([_white(self._seed, block - 1), _white(self._seed, block)])
        return np.asarray(np.fft.irfft(np.fft.rfft(source) * self._filter)[_BLOCK:])


@lru_cache(maxsize=64)
def _white(seed: int, block: int) -> Float64:
    # Blocks before sample 0 have negative numbers; keys are unsigned.
    key = np.array([seed, block % 2**64], dtype=np.uint64)
    samples = np.random.Generator(np.random.Philox(key=key)).standard_normal(_BLOCK)
    samples.flags.writeable = False
    return samples


def _taps(spectrum: Gain) -> Float64:
    """Linear-phase filter of unit energy by frequency sampling under a Hann window, float64 (513,)."""
    frequencies = np.arange(_TAPS // 2 + 1, dtype=np.float64) * (SAMPLE_RATE / (_TAPS - 1))
    impulse = np.fft.fftshift(np.fft.irfft(spectrum(frequencies), _TAPS - 1))
    taps = np.append(impulse, impulse[0]) * np.hanning(_TAPS)
    return np.asarray(taps / np.sqrt(np.sum(taps**2)))
