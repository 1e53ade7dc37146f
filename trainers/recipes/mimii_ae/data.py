"""The baseline's vectors of clips, and its split into training and test clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from processors.core.audio.recording import rows_of
from schemas.errors import UnusableAudio
from trainers.data.loaders.clip import ChannelRule, Clip
from trainers.data.loaders.mimii import baseline_split
from trainers.data.loaders.split import split_by_group
from trainers.progress import track
from trainers.recipes.mimii_ae.features import SPEC
from trainers.recipes.mimii_ae.network import FRAMES, to_vectors
from trainers.recipes.one_class.data import ClipSplit

_MIN_SECONDS = (SPEC.n_fft + (FRAMES - 1) * SPEC.hop) / SPEC.sample_rate
"""Five frames."""


def vectors_of(clips: Sequence[Clip], channel: ChannelRule) -> torch.Tensor:
    """All vectors of clips, float32 (n, 320).

    Raises:
        InputError: a clip cannot be used.
    """
    if not clips:
        return torch.empty((0, FRAMES * SPEC.n_mels))
    parts = []
    for clip in track(clips, f"reading {len(clips)} clips"):
        frames = rows_of(clip.samples(SPEC.sample_rate, channel), SPEC.sample_rate, SPEC)
        if len(frames) < FRAMES:
            raise UnusableAudio(
                f"{clip.path} lasts {clip.length / clip.sample_rate:.2f} s; {_MIN_SECONDS:.2f} s are needed: remove it"
            )
        parts.append(to_vectors(torch.tensor(frames)[None])[0])
    return torch.cat(parts)


def baseline_clips(clips: Sequence[Clip], seed: int) -> ClipSplit:
    """The baseline's training and test clips, of each machine at each SNR.

    A fifth of the training clips is used to stop by and to sweep the threshold with, which the baseline does not need.

    Raises:
        WrongLayout: a machine has no abnormal clip, or too few normal ones.
    """
    by_machine: dict[tuple[str, str, float | None], list[Clip]] = {}
    for clip in clips:
        by_machine.setdefault((clip.machine, clip.unit, clip.snr_db), []).append(clip)
    training, test = [], []
    for group in by_machine.values():
        group_training, group_test = baseline_split(group)
        training += group_training
        test += group_test
    train, validation, sweep = split_by_group(training, (0.8, 0.1, 0.1), seed)
    return ClipSplit(train, validation, sweep, test)
