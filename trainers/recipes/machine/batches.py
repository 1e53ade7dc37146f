"""Batches of the machine recipe: input windows, and what the machine would sound like when healthy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from schemas.features import FeatureSpec
from trainers.data.augment import frequency_responses, noise_floor, to_db, to_power
from trainers.recipe import Float32
from trainers.recipes.machine.data import MachineFrames

_GAIN_DB = (-45.0, 10.0)
_COLOUR_DB = 6.0
_BAND_LIMIT_SHARE = 0.3
_BAND_LIMIT_FROM = 0.6
_BAND_LIMIT_DB = (-60.0, -20.0)


class MachineBatches:
    """Draws pairs of input and target windows.

    Args:
        machines: to learn from.
        spec: the features.
        seed: of all draws.
        size: windows in a batch.
        faulty_share: of the input windows that hold a fault; their target is the same span without it.
    """

    def __init__(
        self, machines: Sequence[MachineFrames], spec: FeatureSpec, seed: int, size: int, faulty_share: float
    ) -> None:
        self._spec, self._size, self._faulty_share = spec, size, faulty_share
        self.rng = np.random.default_rng(seed)
        self._healthy = [to_power(machine.healthy) for machine in machines]
        self._faulty = [[to_power(frames) for frames in machine.faulty.values()] for machine in machines]

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Input and target windows, float32 (size, n_frames, n_mels) each, dB, both without the input's mean."""
        inputs, targets = self._windows()
        rng, n_mels = self.rng, self._spec.n_mels
        response = to_power(frequency_responses(rng, self._size, n_mels, _COLOUR_DB) + self._band_limits())
        floor = noise_floor(rng, self._size, n_mels, _GAIN_DB)
        inputs, targets = to_db(inputs * response + floor), to_db(targets * response + floor)
        mean = inputs.mean(axis=(1, 2), keepdims=True)
        return torch.from_numpy(inputs - mean), torch.from_numpy(targets - mean)

    def _windows(self) -> tuple[Float32, Float32]:
        rng, n_frames = self.rng, self._spec.n_frames
        inputs = np.empty((self._size, n_frames, self._spec.n_mels), dtype=np.float32)
        targets = np.empty_like(inputs)
        for index in range(self._size):
            machine = int(rng.integers(len(self._healthy)))
            healthy, faults = self._healthy[machine], self._faulty[machine]
            start = int(rng.integers(len(healthy) - n_frames + 1))
            targets[index] = healthy[start : start + n_frames]
            faulty = bool(faults) and rng.random() < self._faulty_share
            chosen = faults[int(rng.integers(len(faults)))] if faulty else healthy
            inputs[index] = chosen[start : start + n_frames]
        return inputs, targets

    def _band_limits(self) -> Float32:
        """Attenuation by sensors that record nothing above a cut-off frequency, float32 (size, 1, n_mels), dB."""
        rng, n_mels = self.rng, self._spec.n_mels
        cut = rng.integers(int(_BAND_LIMIT_FROM * n_mels), n_mels, (self._size, 1, 1))
        cut = np.where(rng.random((self._size, 1, 1)) < _BAND_LIMIT_SHARE, cut, n_mels)
        depth = rng.uniform(*_BAND_LIMIT_DB, (self._size, 1, 1))
        return np.where(np.arange(n_mels) >= cut, depth, 0.0).astype(np.float32)
