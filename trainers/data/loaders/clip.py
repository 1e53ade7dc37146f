"""A clip of a data set: its path, its metadata, and its samples on request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile

from processors.core.audio.recording import to_mono
from schemas.audio_files import decode_errors
from schemas.errors import EmptyAudio, UnreadableInput, UnusableAudio
from trainers.data.decoding import decode
from trainers.data.recordings import resampled

Float32 = npt.NDArray[np.float32]
Label = Literal["normal", "abnormal", "unknown"]
Split = Literal["train", "test", ""]
ChannelRule = Literal["first", "mean"]

_FULL_SCALE = 0.9995
_CLIPPED_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of a set.

    Attributes:
        path: the file.
        name: its path below the set's folder, with forward slashes.
        machine: its type, such as ``fan``; empty if the layout does not say.
        unit: individual of its type, such as ``id_00``; empty if the layout does not say.
        label: ``unknown`` if the layout does not say.
        group: its source recording or device; a split never divides one group.
        snr_db: machine over background noise, dB; None if the layout does not say.
        split: the published part of the set; empty if it has none.
        details: other fields of its name, as text.
        sample_rate: Hz.
        channels: number of channels.
        length: samples per channel.
    """

    path: Path
    name: str
    machine: str
    unit: str
    label: Label
    group: str
    sample_rate: int
    channels: int
    length: int
    snr_db: float | None = None
    split: Split = ""
    details: dict[str, str] = field(default_factory=dict)

    def samples(self, sample_rate: int, channel: ChannelRule = "mean") -> Float32:
        """Decodes and resamples it.

        Args:
            sample_rate: Hz to resample to, with the serving resampler; at most the clip's own.
            channel: ``first`` takes channel 0, as MIMII's baseline does; ``mean`` averages all, as serving does.

        Returns:
            float32 (n,), in [-1, 1].

        Raises:
            UnreadableInput: the file cannot be read.
            NotAudio: it cannot be decoded.
            EmptyAudio: it has no sample, or one that is not finite.
            UnusableAudio: it is clipped or silent, or its rate is below ``sample_rate``.
        """
        if self.sample_rate < sample_rate:
            raise UnusableAudio(
                f"{self.path} has {self.sample_rate} Hz, the features need {sample_rate}: bands above"
                f" {self.sample_rate / 2:g} Hz would be empty; record at a higher rate, or choose features of its rate"
            )
        samples, rate = decode(self.path)
        mono = to_mono(samples[:, 0] if channel == "first" else samples)
        check_samples(mono, str(self.path))
        return resampled(mono, rate, sample_rate)


def check_samples(samples: Float32, name: str) -> None:
    """Refuses audio unsuitable for training.

    Args:
        samples: float32 (n,), in [-1, 1].
        name: for the message.

    Raises:
        EmptyAudio: there is no sample, or one that is not finite.
        UnusableAudio: more than one sample in two hundred is at full scale, or all are 0.
    """
    if samples.size == 0:
        raise EmptyAudio(f"{name} holds no sample: remove it from the set")
    if not np.isfinite(samples).all():
        raise EmptyAudio(f"{name} holds {samples.size} samples, not all of them finite: remove it from the set")
    if not samples.any():
        raise UnusableAudio(f"{name} is silent: all of its samples are 0; remove it or record it again")
    share = float(np.mean(np.abs(samples) >= _FULL_SCALE))
    if share > _CLIPPED_SHARE:
        raise UnusableAudio(
            f"{name} is clipped: {share:.1%} of its samples are at full scale, {_CLIPPED_SHARE:.1%} are allowed;"
            " record it at a lower gain or remove it"
        )


def header_of(path: Path) -> tuple[int, int, int]:
    """Sample rate in Hz, channels and samples per channel of a file, without decoding it.

    Raises:
        UnreadableInput: it cannot be read.
        NotAudio: it cannot be decoded.
        EmptyAudio: it holds no sample.
    """
    with decode_errors(path, soundfile.LibsndfileError), soundfile.SoundFile(path) as sound:
        rate, channels, length = int(sound.samplerate), int(sound.channels), int(sound.frames)
    if length <= 0:
        raise EmptyAudio(f"{path} holds no sample: remove it from the set")
    return rate, channels, length


def digest_of(clips: Iterable[Clip]) -> list[str]:
    """sha256 of each file, hexadecimal, for the manifest.

    Raises:
        UnreadableInput: a file cannot be read.
    """
    digests = []
    for clip in clips:
        try:
            digests.append(hashlib.sha256(clip.path.read_bytes()).hexdigest())
        except OSError as error:
            raise UnreadableInput.of(clip.path, error) from None
    return digests
