"""Batches for the machine recipe: what is heard, and what a healthy machine would have sounded like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from schemas.features import FeatureSpec
from trainers.data.augment import frequency_responses, noise_floor, to_db, to_power
from trainers.recipe import Float32
from trainers.recipes.machine.data import HeardMachine

_GAIN_DB = (-45.0, 10.0)
_COLOUR_DB = 6.0
_DULL_SHARE = 0.3
_DULL_FROM = 0.6
_DULL_DB = (-60.0, -20.0)


class MachineBatches:
    """Draws pairs of windows.

    Args:
        machines: to learn from.
        spec: the features.
        seed: of all draws.
        size: windows in a batch.
        faulty_share: of the windows heard with a fault; their target is the same stretch without it.
    """

    def __init__(
        self, machines: Sequence[HeardMachine], spec: FeatureSpec, seed: int, size: int, faulty_share: float
    ) -> None:
        self._spec, self._size, self._faulty_share = spec, size, faulty_share
        self.rng = np.random.default_rng(seed)
        self._healthy = [to_power(machine.healthy) for machine in machines]
        self._faulty = [[to_power(frames) for frames in machine.faulty.values()] for machine in machines]

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Heard and wanted windows, float32 (size, n_frames, n_mels) each, dB, both without the heard one's mean."""
        heard, wanted = self._windows()
        rng, n_mels = self.rng, self._spec.n_mels
        response = to_power(frequency_responses(rng, self._size, n_mels, _COLOUR_DB) + self._dull())
        floor = noise_floor(rng, self._size, n_mels, _GAIN_DB)
        heard, wanted = to_db(heard * response + floor), to_db(wanted * response + floor)
        mean = heard.mean(axis=(1, 2), keepdims=True)
        return torch.from_numpy(heard - mean), torch.from_numpy(wanted - mean)

    def _windows(self) -> tuple[Float32, Float32]:
        rng, n_frames = self.rng, self._spec.n_frames
        heard = np.empty((self._size, n_frames, self._spec.n_mels), dtype=np.float32)
        wanted = np.empty_like(heard)
        for index in range(self._size):
            machine = int(rng.integers(len(self._healthy)))
            healthy, faults = self._healthy[machine], self._faulty[machine]
            start = int(rng.integers(len(healthy) - n_frames + 1))
            wanted[index] = healthy[start : start + n_frames]
            faulty = bool(faults) and rng.random() < self._faulty_share
            chosen = faults[int(rng.integers(len(faults)))] if faulty else healthy
            heard[index] = chosen[start : start + n_frames]
        return heard, wanted

    def _dull(self) -> Float32:
        """Sensors that hear nothing above a frequency of their own, float32 (size, 1, n_mels), dB."""
        rng, n_mels = self.rng, self._spec.n_mels
        cut = rng.integers(int(_DULL_FROM * n_mels), n_mels, (self._size, 1, 1))
        cut = np.where(rng.random((self._size, 1, 1)) < _DULL_SHARE, cut, n_mels)
        depth = rng.uniform(*_DULL_DB, (self._size, 1, 1))
        return np.where(np.arange(n_mels) >= cut, depth, 0.0).astype(np.float32)
