"""PCM: floats as signed 16-bit steps, with a count of clipped values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.chunk import FULL_SCALE
from schemas.errors import EmptyAudio, SettingsError

Int16 = npt.NDArray[np.int16]

_MIN_STEP, _MAX_STEP = -FULL_SCALE, FULL_SCALE - 1


@dataclass(frozen=True, slots=True)
class Block:
    """Samples from a source.

    Attributes:
        samples: int16 (n, channels), n >= 0.
        clipped: number of values that exceeded full scale and were clipped.
        lost: samples per channel lost just before this block.
    """

    samples: Int16
    clipped: int = 0
    lost: int = 0


def to_block(values: npt.NDArray[np.floating], *, full_scale: float = 1.0, at: int = 0) -> Block:
    """Values as PCM steps: ``round(value / full_scale * 32768)``, halves to even, clipped at the ends.

    A value of exactly ``full_scale`` becomes 32767, the largest step, and does not count as clipped.

    Args:
        values: float (n, channels), in the device's unit.
        full_scale: the value of the largest step, > 0.
        at: index of the first row in its session, for the error message.

    Raises:
        EmptyAudio: a value is NaN or infinite.
        SettingsError: ``full_scale`` is not a positive number.
    """
    if not (math.isfinite(full_scale) and full_scale > 0):
        raise SettingsError(f"full scale {full_scale!r} is not a number above 0")
    finite = np.isfinite(values)
    if not finite.all():
        row, channel = (int(index) for index in np.argwhere(~finite)[0])
        raise EmptyAudio(
            f"sample {at + row} of channel {channel} is {values[row, channel]}, not a finite number:"
            " repair the recording or cut it there"
        )
    # Divides before multiplying, in float64: neither 1e38 nor a tiny full scale may overflow to infinity.
    with np.errstate(over="ignore"):
        steps = np.rint(values.astype(np.float64) / full_scale * FULL_SCALE)
    clipped = int(np.count_nonzero((steps < _MIN_STEP) | (steps > FULL_SCALE)))
    return Block(np.clip(steps, _MIN_STEP, _MAX_STEP).astype(np.int16), clipped)


def full_scale_for(peak: float) -> float:
    """The smallest power of two above ``peak`` (>= 0, finite), so that nothing clips and scaling is exact.

    1.0 for silence.
    """
    return math.ldexp(1.0, math.frexp(peak)[1]) if peak > 0 else 1.0
