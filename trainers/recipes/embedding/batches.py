"""Batches of the embedding recipe: windows of devices, some mixed, some shifted in pitch to be other devices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from schemas.features import FeatureSpec
from trainers.data.augment import frequency_responses, noise_floor, to_db, to_power
from trainers.recipes.embedding.data import TrainingDevice

Float32 = npt.NDArray[np.float32]

SHIFTS = (0, 4, -4)
"""Mel bands by which all of a device's sound is shifted: each shift makes another class of it."""

_GAIN_DB = (-40.0, 10.0)
_COLOUR_DB = 1.5
_MIXED_SHARE = 0.5


class DeviceBatches:
    """Draws windows and their classes.

    Only normal sound is drawn; recordings shorter than a window are skipped.

    Args:
        devices: to classify.
        spec: the features.
        seed: of all draws.
        size: windows in a batch.

    Attributes:
        generator: of the draws.
    """

    def __init__(self, devices: Sequence[TrainingDevice], spec: FeatureSpec, seed: int, size: int) -> None:
        self._spec, self._size = spec, size
        self.generator = np.random.default_rng(seed)
        long_enough = ([one.rows for one in device.normal if len(one.rows) >= spec.n_frames] for device in devices)
        self._rows = [rows for rows in long_enough if rows]

    @property
    def classes(self) -> int:
        """Number of devices times number of shifts."""
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
        proportion = np.where(rng.random(self._size) < _MIXED_SHARE, rng.random(self._size), 1.0).astype(np.float32)
        other = rng.permutation(self._size)
        power = proportion[:, None, None] * power + (1.0 - proportion[:, None, None]) * power[other]
        shares = proportion[:, None] * shares + (1.0 - proportion[:, None]) * shares[other]
        mixed = to_db(power)
        return torch.from_numpy(mixed - mixed.mean(axis=(1, 2), keepdims=True)), torch.from_numpy(shares)

    def _windows(self) -> tuple[Float32, npt.NDArray[np.int64]]:
        rng, n_frames = self.generator, self._spec.n_frames
        windows = np.empty((self._size, n_frames, self._spec.n_mels), np.float32)
        labels = np.empty(self._size, np.int64)
        for index in range(self._size):
            device, shift = int(rng.integers(len(self._rows))), int(rng.integers(len(SHIFTS)))
            rows = self._rows[device][int(rng.integers(len(self._rows[device])))]
            start = int(rng.integers(len(rows) - n_frames + 1))
            windows[index] = shifted(rows[start : start + n_frames], SHIFTS[shift])
            labels[index] = shift * len(self._rows) + device
        # Windows peak at 0 dB before the gain is applied.
        return windows - windows.max(axis=(1, 2), keepdims=True), labels


def shifted(rows: Float32, bands: int) -> Float32:
    """Rows float32 (n, n_mels) shifted up by ``bands``; the band at the edge is repeated."""
    source = np.clip(np.arange(rows.shape[1]) - bands, 0, rows.shape[1] - 1)
    return rows[:, source]
