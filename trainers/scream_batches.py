"""Batches for the scream recipe: windows drawn by kind, mixed, coloured, made quieter, masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track

from processors.core.mel import normalise_level
from schemas.features import FeatureSpec
from trainers.augment import coloured, masked, noise_floor, to_db, to_power
from trainers.recordings import resampled
from trainers.scream_sound import Take, frames_of, window_labels

Float32 = npt.NDArray[np.float32]

_SPEEDS = (0.92, 1.0, 1.08)
_MIXED_SHARE = 0.5
_SNR_DB = (-5.0, 20.0)
_GAIN_DB = (-45.0, 10.0)
_COLOUR_DB = 4.0
_MASKED_SHARE = 0.5
# Kinds that sound most like screams, and how much more often they are drawn.
_HARD_KINDS = {"negative": 2.0, "baby-cry": 3.0, "rooster": 3.0, "infant-cry": 2.0, "dog-bark": 1.5, "atmosphere": 1.5}
# There may be any number of synthetic takes: they must not crowd out recorded ones.
_SYNTHETIC_WEIGHT = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class HeardTake:
    """A take's windows to learn from, at several speeds.

    Attributes:
        take: the take.
        views: at each speed, power frames, float32 (n, n_mels), and where windows may start, int64 (m,), m > 0.
    """

    take: Take
    views: tuple[tuple[Float32, npt.NDArray[np.int64]], ...]

    def draw(self, rng: np.random.Generator, n_frames: int) -> Float32:
        """One window, float32 (n_frames, n_mels), power."""
        frames, starts = self.views[int(rng.integers(len(self.views)))]
        start = int(rng.choice(starts))
        return frames[start : start + n_frames]


def listen(takes: Sequence[Take], spec: FeatureSpec) -> list[HeardTake]:
    """Takes that hold a window to learn from, in the order given.

    Recordings are heard at 0.92, 1 and 1.08 times their speed; synthetic takes are as many as one likes anyway.
    """
    heard = []
    for take in track(takes, description="features", transient=True):
        views = []
        for speed in (1.0,) if take.is_synthetic else _SPEEDS:
            frames = frames_of(_at_speed(take, speed), spec)
            starts = np.arange(len(frames) - spec.n_frames + 1, dtype=np.int64)
            wanted = 1 if take.is_scream else 0
            starts = starts[window_labels(take, frames, starts, spec.n_frames) == wanted]
            if len(starts):
                views.append((to_power(frames), starts))
        if views:
            heard.append(HeardTake(take, tuple(views)))
    return heard


class ScreamBatches:
    """Draws training batches.

    Args:
        heard: what to learn from; screams and others.
        spec: the features.
        seed: of all draws.
        size: windows in a batch.
        positive_share: of the windows that hold a scream.
    """

    def __init__(
        self, heard: Sequence[HeardTake], spec: FeatureSpec, seed: int, size: int, positive_share: float = 0.4
    ) -> None:
        self._spec, self._size = spec, size
        self._rng = np.random.default_rng(seed)
        self._positives = round(size * positive_share)
        self._screams = _by_kind([one for one in heard if one.take.is_scream])
        self._others = _by_kind([one for one in heard if not one.take.is_scream])

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows, float32 (size, n_frames, n_mels), and labels, float32 (size,)."""
        rng, n_mels = self._rng, self._spec.n_mels
        labels = np.zeros(self._size, dtype=np.float32)
        labels[: self._positives] = 1.0
        power = np.stack([self._draw(number < self._positives) for number in range(self._size)])
        power = power * to_power(coloured(rng, self._size, n_mels, _COLOUR_DB))
        for index in np.flatnonzero(rng.random(self._size) < _MIXED_SHARE):
            behind = self._draw(scream=False)
            snr = 10.0 ** (rng.uniform(*_SNR_DB) / 10.0)
            power[index] += behind * (power[index].mean() / max(float(behind.mean()), 1e-20) / snr)
        windows = to_db(power + noise_floor(rng, self._size, n_mels, _GAIN_DB))
        windows = normalise_level(masked(rng, windows, _MASKED_SHARE), self._spec)
        return torch.from_numpy(windows), torch.from_numpy(labels)

    def _draw(self, scream: bool) -> Float32:
        kinds, odds = self._screams if scream else self._others
        takes = kinds[int(self._rng.choice(len(kinds), p=odds))]
        return takes[int(self._rng.integers(len(takes)))].draw(self._rng, self._spec.n_frames)


def _by_kind(heard: Sequence[HeardTake]) -> tuple[list[list[HeardTake]], npt.NDArray[np.float64]]:
    """Takes of each kind, and the kinds' odds.

    Odds go with the square root of the number of takes: rare kinds count, large ones are not wasted.
    """
    kinds = sorted({one.take.kind for one in heard})
    takes = [[one for one in heard if one.take.kind == kind] for kind in kinds]
    weights = [
        len(ones) ** 0.5 * (_SYNTHETIC_WEIGHT if ones[0].take.is_synthetic else _HARD_KINDS.get(kind, 1.0))
        for kind, ones in zip(kinds, takes, strict=True)
    ]
    return takes, np.array(weights) / sum(weights)


def _at_speed(take: Take, speed: float) -> Take:
    if speed == 1.0:
        return take
    rate = 16_000
    samples = resampled(take.samples, int(rate * speed), rate)
    return Take(take.name, take.kind, take.source, samples, take.is_scream, take.is_synthetic)
