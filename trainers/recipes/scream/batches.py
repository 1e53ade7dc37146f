"""Batches of the scream recipe: windows drawn by kind and augmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from processors.core.audio.mel import normalise_level
from schemas.features import FeatureSpec
from trainers.data.augment import (
    add_reverb,
    band_limits,
    frequency_responses,
    noise_floor,
    spec_augment,
    to_db,
    to_power,
    warp_matrices,
)
from trainers.data.recordings import resampled
from trainers.progress import track
from trainers.recipes.scream.data import LabelledRecording, frames_of, window_labels

Float32 = npt.NDArray[np.float32]

AUGMENTATIONS = ("shift", "speed", "warp", "mix", "room", "band", "colour", "gain", "mask")
"""Time shift, speed, frequency warp, background mix, impulse responses, band limits, frequency response, gain with
noise that does not follow it, SpecAugment."""

_SPEEDS = (0.85, 0.92, 1.0, 1.08, 1.18)
_MIXED_SHARE = {True: 0.6, False: 0.5}
_SNR_DB = (-8.0, 20.0)
_GAIN_DB = (-30.0, 10.0)
_COLOUR_DB = 4.0
_BAND_SHARE, _ROOM_SHARE, _MASKED_SHARE, _WARPED_SHARE = 0.15, 0.25, 0.3, 0.6
_WARP, _WARPS = 1.35, 15
_ROOM_LEAD_S = 0.32
# Kinds most similar to screams, and how much more often they are drawn.
_HARD_KINDS = {"negative": 2.0, "baby-cry": 3.0, "rooster": 3.0, "infant-cry": 2.0, "dog-bark": 1.5, "atmosphere": 1.5}
# Not used as background: a cry as loud as a scream would make the label wrong.
_VOICES = {"rooster", "baby-cry", "infant-cry", "dog-bark", "person-sneeze", "negative"}
_BACKGROUND_WEIGHTS = {"ambience": 3.0}
# There may be any number of synthetic recordings: they must not crowd out real ones.
_SYNTHETIC_WEIGHT = {True: 0.27, False: 0.08}


@dataclass(frozen=True, slots=True, eq=False)
class AugmentedRecording:
    """A recording's training windows, at several speeds.

    Attributes:
        recording: the recording.
        views: for each speed, power frames, float32 (n, n_mels), and possible starts of windows with a scream and of
            windows without, int64 (m,) each; one of them may be empty.
    """

    recording: LabelledRecording
    views: tuple[tuple[Float32, npt.NDArray[np.int64], npt.NDArray[np.int64]], ...]


def augmentations(text: str) -> frozenset[str]:
    """Names from text: ``all``, ``none``, or some of :data:`AUGMENTATIONS` with commas between them.

    Raises:
        ValueError: a name is unknown.
    """
    if text in ("all", "none"):
        return frozenset(AUGMENTATIONS if text == "all" else ())
    names = frozenset(name.strip() for name in text.split(","))
    if unknown := names - set(AUGMENTATIONS):
        raise ValueError(
            f"no augmentation {', '.join(sorted(unknown))}; there are all, none, {', '.join(AUGMENTATIONS)}"
        )
    return names


def augmented_recordings(
    recordings: Sequence[LabelledRecording], spec: FeatureSpec, augment: frozenset[str]
) -> list[AugmentedRecording]:
    """Recordings with at least one training window, in the order given.

    Real recordings are played at 0.85 to 1.18 times their speed; synthetic ones can be generated in any number.
    """
    augmented = []
    step = 1 if "shift" in augment else spec.window_hop
    for recording in track(recordings, description="features"):
        views = []
        speeds = (1.0,) if recording.is_synthetic or "speed" not in augment else _SPEEDS
        for speed in speeds:
            played = _at_speed(recording, speed)
            frames = frames_of(played, spec)
            starts = np.arange(0, len(frames) - spec.n_frames + 1, step, dtype=np.int64)
            labels = window_labels(played, frames, starts, spec)
            screams, others = starts[labels == 1], starts[labels == 0]
            if recording.is_scream and recording.labels is None:
                # Energy tells a pause from a scream, but not from a breath or a sob.
                others = others[:0]
            if len(screams) or len(others):
                views.append((to_power(frames), screams, others))
        if views:
            augmented.append(AugmentedRecording(recording, tuple(views)))
    return augmented


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Training windows.

    Attributes:
        windows: float32 (size, n_frames, n_mels), dB, without their mean.
        labels: float32 (size,): 1 with a scream, 0 without.
        kinds: int64 (size,): index into ``ScreamBatches.kinds`` of the foreground sound.
    """

    windows: torch.Tensor
    labels: torch.Tensor
    kinds: torch.Tensor


class ScreamBatches:
    """Draws training batches.

    Attributes:
        kinds: of recordings, in alphabetical order.

    Args:
        recordings: to train on; screams and others.
        spec: the features.
        seed: of all draws.
        size: windows in a batch.
        augment: see :data:`AUGMENTATIONS`.
        positive_share: share of windows with a scream.
    """

    def __init__(
        self,
        recordings: Sequence[AugmentedRecording],
        spec: FeatureSpec,
        seed: int,
        size: int,
        augment: frozenset[str],
        positive_share: float = 0.4,
    ) -> None:
        self._spec, self._size, self._augment = spec, size, augment
        self._rng = np.random.default_rng(seed)
        self._frame_s = spec.hop / spec.sample_rate
        self._lead = int(np.ceil(_ROOM_LEAD_S / self._frame_s))
        self._positives = round(size * positive_share)
        self._pool = _Pool(recordings)
        self._screams = self._pool.group(recordings, scream=True)
        self._others = self._pool.group(recordings, scream=False)
        backgrounds = [one for one in recordings if not one.recording.is_scream and one.recording.kind not in _VOICES]
        self._backgrounds = (
            self._pool.group(backgrounds, scream=False, weights=_BACKGROUND_WEIGHTS) if backgrounds else self._others
        )
        self._warps = warp_matrices(spec, _WARP, _WARPS)
        self.kinds = tuple(sorted({one.recording.kind for one in recordings}))

    def draw(self) -> Batch:
        """The next batch."""
        rng, spec, size = self._rng, self._spec, self._size
        labels = np.zeros(size, dtype=np.float32)
        labels[: self._positives] = 1.0
        screams, scream_kinds = self._draw(self._screams, self._positives)
        others, other_kinds = self._draw(self._others, size - self._positives)
        power = np.concatenate([screams, others])
        if "warp" in self._augment:
            warped = rng.random(size) < _WARPED_SHARE
            power[warped] = power[warped] @ self._warps[rng.integers(0, _WARPS, int(warped.sum()))]
        power = self._coloured(power)
        if "mix" in self._augment:
            self._mix(power, labels)
        share = _ROOM_SHARE if "room" in self._augment else 0.0
        power = add_reverb(rng, power, self._lead, self._frame_s, share)
        if "band" in self._augment:
            power *= to_power(band_limits(rng, size, spec.n_mels, _BAND_SHARE))
        gain = _GAIN_DB if "gain" in self._augment else (0.0, 0.0)
        windows = to_db(power + noise_floor(rng, size, spec.n_mels, gain))
        if "mask" in self._augment:
            windows = spec_augment(rng, windows, _MASKED_SHARE)
        kinds = [self.kinds.index(kind) for kind in (*scream_kinds, *other_kinds)]
        return Batch(torch.from_numpy(normalise_level(windows, spec)), torch.from_numpy(labels), torch.tensor(kinds))

    def _draw(self, group: _Group, count: int) -> tuple[Float32, list[str]]:
        return self._pool.windows(group, self._rng, count, self._spec.n_frames, self._lead)

    def _coloured(self, power: Float32) -> Float32:
        if "colour" not in self._augment:
            return power
        return power * to_power(frequency_responses(self._rng, len(power), self._spec.n_mels, _COLOUR_DB))

    def _mix(self, power: Float32, labels: Float32) -> None:
        rng = self._rng
        shares = np.where(labels > 0.0, _MIXED_SHARE[True], _MIXED_SHARE[False])
        mixed = np.flatnonzero(rng.random(len(power)) < shares)
        background = self._coloured(self._draw(self._backgrounds, len(mixed))[0])
        snr = np.power(10.0, rng.uniform(*_SNR_DB, len(mixed)) / 10.0)
        signal_power = power[mixed, self._lead :].mean(axis=(1, 2))
        noise_power = np.maximum(background[:, self._lead :].mean(axis=(1, 2)), 1e-20)
        power[mixed] += background * (signal_power / noise_power / snr)[:, None, None].astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Kinds and their cumulated probabilities; for each view of each recording, its offset in the pool and starts."""

    names: list[str]
    kinds: list[list[list[tuple[int, npt.NDArray[np.int64]]]]]
    cumulated: npt.NDArray[np.float64]


class _Pool:
    """All frames in one array, so that a batch takes one indexing operation."""

    def __init__(self, recordings: Sequence[AugmentedRecording]) -> None:
        frames = [view[0] for one in recordings for view in one.views]
        self._offsets = dict(
            zip((id(one) for one in frames), np.cumsum([0] + [len(one) for one in frames[:-1]]), strict=True)
        )
        self._frames = np.concatenate(frames)

    def group(
        self, recordings: Sequence[AugmentedRecording], *, scream: bool, weights: dict[str, float] | None = None
    ) -> _Group:
        """Windows with a scream or without, kinds weighted by the square root of their number of recordings.

        So rare kinds count, and large ones are not wasted.
        """
        weights = _HARD_KINDS if weights is None else weights
        by_kind: dict[str, list[list[tuple[int, npt.NDArray[np.int64]]]]] = {}
        synthetic = {one.recording.kind for one in recordings if one.recording.is_synthetic}
        for one in recordings:
            views = [(int(self._offsets[id(view[0])]), view[1] if scream else view[2]) for view in one.views]
            views = [(offset, starts) for offset, starts in views if len(starts)]
            if views:
                by_kind.setdefault(one.recording.kind, []).append(views)
        odds = [
            len(group) ** 0.5 * (_SYNTHETIC_WEIGHT[scream] if kind in synthetic else weights.get(kind, 1.0))
            for kind, group in sorted(by_kind.items())
        ]
        return _Group(sorted(by_kind), [group for _, group in sorted(by_kind.items())], np.cumsum(odds) / sum(odds))

    def windows(
        self, group: _Group, rng: np.random.Generator, count: int, n_frames: int, lead: int
    ) -> tuple[Float32, list[str]]:
        """Power, float32 (count, lead + n_frames, n_mels), and kinds; a recording's first frame is repeated
        before its beginning."""
        kinds = []
        index = np.empty((count, lead + n_frames), dtype=np.int64)
        relative = np.arange(-lead, n_frames)
        for row, draw in zip(index, rng.random((count, 4)), strict=True):
            kind = min(int(np.searchsorted(group.cumulated, draw[0])), len(group.kinds) - 1)
            kinds.append(group.names[kind])
            recordings = group.kinds[kind]
            views = recordings[int(draw[1] * len(recordings))]
            offset, starts = views[int(draw[2] * len(views))]
            row[:] = offset + np.maximum(starts[int(draw[3] * len(starts))] + relative, 0)
        gathered: Float32 = self._frames[index]
        return gathered, kinds


def _at_speed(recording: LabelledRecording, speed: float) -> LabelledRecording:
    if speed == 1.0:
        return recording
    samples = resampled(recording.samples, round(recording.sample_rate * speed), recording.sample_rate)
    return recording.at_speed(samples, speed)
