"""Normal and abnormal clips: split so that no source recording is in two parts, and cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import SettingsError, UnusableAudio, WrongLayout
from schemas.features import FeatureSpec
from synthesis.draws import seed_of
from trainers.data.loaders.clip import ChannelRule, Clip
from trainers.data.loaders.split import split_by_group
from trainers.evaluation.direction import generated_anomalies
from trainers.progress import track

Float32 = npt.NDArray[np.float32]

_TRAIN, _VALIDATION, _SWEEP, _TEST = 0.6, 0.1, 0.15, 0.15


@dataclass(frozen=True, slots=True)
class ClipSplit:
    """A set's clips; no source recording is in two parts.

    Attributes:
        train, validation: normal clips, to train with and to stop by.
        sweep: normal and abnormal clips to choose the threshold with.
        test: used for measuring alone.
    """

    train: list[Clip]
    validation: list[Clip]
    sweep: list[Clip]
    test: list[Clip]


@dataclass(frozen=True, slots=True, eq=False)
class WindowedClip:
    """A clip's windows.

    Attributes:
        clip: the clip.
        samples: float32 (n,), at the specification's rate.
        windows: float32 (windows, n_frames, width).
    """

    clip: Clip
    samples: Float32
    windows: Float32

    @property
    def is_abnormal(self) -> bool:
        """Whether the clip is labelled abnormal."""
        return self.clip.label == "abnormal"


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationClips:
    """Windows a model is measured with; read before it is trained, so that a bad clip is reported at once.

    Attributes:
        sweep, test: see :class:`ClipSplit`; with generated anomalies where there are no abnormal clips.
    """

    sweep: list[WindowedClip]
    test: list[WindowedClip]


def select_clips(clips: Sequence[Clip], machine: str, unit: str, snr: str) -> list[Clip]:
    """Clips of a machine type, unit and SNR; an empty text selects all.

    Raises:
        SettingsError: none is left, or ``snr`` is not a number.
    """
    try:
        snr_db = float(snr) if snr else None
    except ValueError:
        raise SettingsError(f"option 'snr' is {snr!r}; it must be a number of dB") from None
    selected = [
        clip
        for clip in clips
        if machine in ("", clip.machine) and unit in ("", clip.unit) and snr_db in (None, clip.snr_db)
    ]
    if not selected:
        available = sorted({f"{clip.machine}/{clip.unit}/{clip.snr_db}" for clip in clips})
        raise SettingsError(
            f"no clip of machine {machine!r}, unit {unit!r}, snr {snr!r}; there are {', '.join(available[:20])}"
        )
    return selected


def split_clips(clips: Sequence[Clip], seed: int) -> ClipSplit:
    """Splits clips by source recording: 60 % of the normal ones to train, 10 % to stop by, the rest to sweep and test.

    A set that was published in parts keeps them: training and validation clips come from its training part, and its
    test part is halved for sweep and test. Clips of unknown label are left out.

    Raises:
        WrongLayout: there are too few normal clips, or a single abnormal one.
    """
    normal = [clip for clip in clips if clip.label == "normal"]
    abnormal = [clip for clip in clips if clip.label == "abnormal"]
    if len(abnormal) == 1:
        raise WrongLayout(f"{abnormal[0].path} is the only abnormal clip: one to sweep with and one to test are needed")
    published_test = [clip for clip in normal if clip.split == "test"]
    if published_test:
        published_train = [clip for clip in normal if clip.split != "test"]
        train, validation = split_by_group(published_train, (0.85, 0.15), seed_of(seed, 0))
        sweep, test = split_by_group(published_test, (0.5, 0.5), seed_of(seed, 1))
    else:
        train, validation, sweep, test = split_by_group(normal, (_TRAIN, _VALIDATION, _SWEEP, _TEST), seed_of(seed, 0))
    if abnormal:
        first, second = split_by_group(abnormal, (0.5, 0.5), seed_of(seed, 2))
        sweep, test = sweep + first, test + second
    return ClipSplit(train, validation, sweep, test)


def read_windows(clips: Sequence[Clip], spec: FeatureSpec, channel: ChannelRule, label: str) -> list[WindowedClip]:
    """Windows of clips.

    Args:
        clips: to read.
        spec: the features.
        channel: which channel of theirs.
        label: of the progress bar.

    Raises:
        InputError: a file cannot be read or is not fit for training.
        UnusableAudio: a clip is shorter than a window.
    """
    windowed = []
    for clip in track(clips, label):
        samples = clip.samples(spec.sample_rate, channel)
        windows = windows_of(rows_of(samples, spec.sample_rate, spec), spec)
        if not len(windows):
            raise UnusableAudio(
                f"{clip.path} lasts {len(samples) / spec.sample_rate:.2f} s, a window {spec.window_seconds:.2f} s:"
                " remove it or choose shorter windows"
            )
        windowed.append(WindowedClip(clip, samples, windows))
    return windowed


def read_evaluation_clips(split: ClipSplit, spec: FeatureSpec, channel: ChannelRule, seed: int) -> EvaluationClips:
    """Reads the clips that are not trained on.

    Raises:
        InputError: a clip cannot be used.
    """
    sweep, test = (
        with_generated_anomalies(read_windows(clips, spec, channel, f"reading the {name}'s clips"), spec, seed + number)
        for number, (name, clips) in enumerate((("sweep", split.sweep), ("test", split.test)))
    )
    return EvaluationClips(sweep, test)


def with_generated_anomalies(clips: Sequence[WindowedClip], spec: FeatureSpec, seed: int) -> list[WindowedClip]:
    """Clips as given; where none is abnormal, abnormal ones generated from them follow."""
    if any(one.is_abnormal for one in clips):
        return list(clips)
    generated = []
    for number, one in enumerate(clips):
        for samples in generated_anomalies(one.samples, spec.sample_rate, seed_of(seed, number)).values():
            clip = replace(one.clip, label="abnormal", details=one.clip.details | {"generated": "yes"})
            generated.append(WindowedClip(clip, samples, windows_of(rows_of(samples, spec.sample_rate, spec), spec)))
    return [*clips, *generated]
