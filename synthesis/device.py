"""A device of the synthetic factory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from synthesis.sound import SAMPLE_RATE, Sound

_BLOCK = 4_096


@dataclass(frozen=True, slots=True)
class SyntheticDevice:
    """The sound at a device, and its ground truth.

    Attributes:
        device_id: the stream key.
        kind: ``machine`` or ``room``.
        description: for people.
        events: (name, start, end) each, in seconds; the end is ``inf`` for permanent faults.
        expects_alert: whether a good detector raises an alert.
        sound: the sound at its microphone.
        sample_rate: Hz, 16,000.
    """

    device_id: str
    kind: Literal["machine", "room"]
    description: str
    events: tuple[tuple[str, float, float], ...]
    expects_alert: bool
    sound: Sound = field(repr=False)
    sample_rate: int = SAMPLE_RATE

    def render(self, first_sample: int, n: int) -> npt.NDArray[np.float32]:
        """Samples ``first_sample`` to ``first_sample + n - 1``, independent of how requests are divided.

        Args:
            first_sample: >= 0.
            n: >= 0.

        Returns:
            float32 (n,), in [-1, 1].

        Raises:
            ValueError: an argument is negative.
        """
        if first_sample < 0 or n < 0:
            raise ValueError(f"first_sample {first_sample} and n {n} must not be negative")
        if n == 0:
            return np.empty(0, dtype=np.float32)
        # Whole blocks only: sums are always taken in the same order, so that all requests agree bit for bit.
        blocks = range(first_sample // _BLOCK, (first_sample + n - 1) // _BLOCK + 1)
        whole = np.concatenate([self.sound.at(block * _BLOCK, _BLOCK) for block in blocks])
        skip = first_sample - blocks.start * _BLOCK
        return np.asarray(np.clip(whole[skip : skip + n], -1.0, 1.0), dtype=np.float32)
