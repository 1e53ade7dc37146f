"""Rational resampling on an absolute sample grid.

Output sample k lies at input position k * down / up of the session and depends on a bounded number of input samples
around it. So any split of a session into chunks, and any restart in its middle, gives the same output samples, and the
input samples still needed are known. A windowed sinc (Kaiser) as in J. O. Smith, Digital Audio Resampling (2002).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

_ZERO_CROSSINGS = 24
_ROLLOFF = 0.94
_KAISER_BETA = 9.0
# 97,656 Hz, of some vibration recorders, needs 2,000; all common audio rates need at most 640.
_MAX_PHASES = 2_000
# Bounds the gathered input views to a few MB however long the block is.
_BLOCK_OUTPUTS = 4_096


class Resampler:
    """Resamples from one rate to another. Has no state: callers keep the input samples still needed.

    Args:
        rate_in, rate_out: Hz, > 0.

    Attributes:
        up, down: ``rate_out / rate_in`` in lowest terms. Where these would need more than 2,000 phases, as from 11,127
            Hz, the nearest ratio that does not: a few parts per million off, less than a clock's error.
        half_width: input samples needed on either side of an output's position; 0 when the rates are equal.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        ratio = Fraction(rate_in, rate_out).limit_denominator(_MAX_PHASES)
        self.up, self.down = ratio.denominator, ratio.numerator
        self.half_width = 0 if self.up == self.down else _half_width(self.up, self.down)

    def position(self, k: int) -> int:
        """Input sample at or before output ``k``."""
        return k * self.down // self.up

    def first_input(self, k: int) -> int:
        """First input sample that output ``k`` depends on."""
        return max(0, self.position(k) - self.half_width + 1) if self.half_width else k

    def last_input(self, k: int) -> int:
        """Last input sample that output ``k`` depends on."""
        return self.position(k) + self.half_width

    def outputs_from(self, start: int) -> int:
        """First output that can be computed when input begins at sample ``start``; before sample 0 is silence."""
        if start == 0 or not self.half_width:
            return start
        return -(-(start + self.half_width - 1) * self.up // self.down)

    def outputs_until(self, end: int) -> int:
        """One past the last output that can be computed from input samples before ``end``."""
        # The largest k with position(k) + half_width <= end - 1, plus one.
        return max(0, -(-(end - self.half_width) * self.up // self.down)) if end > self.half_width else 0

    def __call__(self, samples: Float32, start: int, first: int, last: int) -> Float32:
        """Outputs ``first`` to ``last - 1``.

        Args:
            samples: float32 (n,), input from sample ``start`` of the session on.
            start: index of ``samples[0]``.
            first, last: range of outputs; every input they depend on is in ``samples`` or before sample 0.

        Returns:
            float32 (last - first,).
        """
        if not self.half_width:
            return samples[first - start : last - start]
        kernels = _kernels(self.up, self.down)
        padding = max(0, self.half_width - 1 - (self.position(first) - start))
        padded = np.concatenate([np.zeros(padding, np.float32), samples]) if padding else samples
        views = np.lib.stride_tricks.sliding_window_view(padded, 2 * self.half_width)
        out = np.empty(last - first, dtype=np.float32)
        for begin in range(first, last, _BLOCK_OUTPUTS):
            k = np.arange(begin, min(begin + _BLOCK_OUTPUTS, last), dtype=np.int64)
            whole, phase = np.divmod(k * self.down, self.up)
            rows = views[whole - self.half_width + 1 - start + padding]
            np.einsum("kt,kt->k", rows, kernels[phase], out=out[begin - first : begin - first + len(k)])
        return out


def _half_width(up: int, down: int) -> int:
    cutoff = _ROLLOFF * min(1.0, up / down)
    return int(np.ceil(_ZERO_CROSSINGS / cutoff))


@lru_cache(maxsize=16)
def _kernels(up: int, down: int) -> Float32:
    """One kernel per phase, float32 (up, 2 * half_width), each of unit sum so that a constant is unchanged."""
    half_width = _half_width(up, down)
    cutoff = _ROLLOFF * min(1.0, up / down)
    distance = np.arange(up)[:, None] / up - np.arange(-half_width + 1, half_width + 1)
    taper = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / half_width) ** 2)))
    kernels = np.sinc(cutoff * distance) * taper
    normalised: Float32 = (kernels / kernels.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
