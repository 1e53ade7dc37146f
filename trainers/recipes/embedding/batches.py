"""Batches for the fleet recipe: windows of devices, some mixed, some made to sound like other devices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from schemas.features import FeatureSpec
from trainers.data.augment import frequency_responses, noise_floor, to_db, to_power
from trainers.recipes.embedding.data import Device

Float32 = npt.NDArray[np.float32]

SHIFTS = (0, 4, -4)
"""Mel bands by which all of a device's sound is moved: each shift makes another device of it."""

_GAIN_DB = (-40.0, 10.0)
_COLOUR_DB = 1.5
_MIXED_SHARE = 0.5


class FleetBatches:
    """Draws windows and whose they are.

    Only normal sound is drawn; recordings shorter than a window are passed over.

    Args:
        devices: to tell apart.
        spec: the features.
        seed: of all draws.
        size: windows in a batch.

    Attributes:
        generator: what is drawn from.
    """

    def __init__(self, devices: Sequence[Device], spec: FeatureSpec, seed: int, size: int) -> None:
        self._spec, self._size = spec, size
        self.generator = np.random.default_rng(seed)
        long = ([one.rows for one in device.normal if len(one.rows) >= spec.n_frames] for device in devices)
        self._rows = [rows for rows in long if rows]

    @property
    def classes(self) -> int:
        """Devices and those made of them."""
        return len(SHIFTS) * len(self._rows)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows float32 (size, n_frames, n_mels), dB, and shares float32 (size, classes), each row summing to 1.

        Half of the windows are mixed with another, power by power (mixup: Zhang et al., ICLR 2018).
        """
        windows, labels = self._windows()
        rng, n_mels = self.generator, self._spec.n_mels
        power = to_power(windows + frequency_responses(rng, self._size, n_mels, _COLOUR_DB))
        power += noise_floor(rng, self._size, n_mels, _GAIN_DB)
        shares = np.zeros((self._size, self.classes), np.float32)
        shares[np.arange(self._size), labels] = 1.0
        part = np.where(rng.random(self._size) < _MIXED_SHARE, rng.random(self._size), 1.0).astype(np.float32)
        other = rng.permutation(self._size)
        power = part[:, None, None] * power + (1.0 - part[:, None, None]) * power[other]
        shares = part[:, None] * shares + (1.0 - part[:, None]) * shares[other]
        heard = to_db(power)
        return torch.from_numpy(heard - heard.mean(axis=(1, 2), keepdims=True)), torch.from_numpy(shares)

    def _windows(self) -> tuple[Float32, npt.NDArray[np.int64]]:
        rng, n_frames = self.generator, self._spec.n_frames
        windows = np.empty((self._size, n_frames, self._spec.n_mels), np.float32)
        labels = np.empty(self._size, np.int64)
        for index in range(self._size):
            device, shift = int(rng.integers(len(self._rows))), int(rng.integers(len(SHIFTS)))
            rows = self._rows[device][int(rng.integers(len(self._rows[device])))]
            start = int(rng.integers(len(rows) - n_frames + 1))
            windows[index] = moved(rows[start : start + n_frames], SHIFTS[shift])
            labels[index] = shift * len(self._rows) + device
        # A set is about as loud as full scale before a gain is taken from it.
        return windows - windows.max(axis=(1, 2), keepdims=True), labels


def moved(rows: Float32, bands: int) -> Float32:
    """Rows float32 (n, n_mels) moved up by ``bands``, the band at the edge filling what is left open."""
    at = np.clip(np.arange(rows.shape[1]) - bands, 0, rows.shape[1] - 1)
    return rows[:, at]
