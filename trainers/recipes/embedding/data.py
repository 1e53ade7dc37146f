"""Training data of the embedding recipe: devices, each with recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import InputError, UnusableAudio, WrongLayout
from schemas.features import FeatureSpec
from synthesis.draws import seed_of
from synthesis.machine import KINDS, random_machine
from synthesis.sound import SAMPLE_RATE
from trainers.data.loaders.clip import Clip, check_samples, digest_of, header_of
from trainers.data.loaders.finding import sound_files
from trainers.data.loaders.folders import is_labelled
from trainers.data.loaders.layout import load_clips
from trainers.data.recordings import read_folder, resampled
from trainers.progress import track

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceRecording:
    """A recording of a device.

    Attributes:
        name: of the file, or of the synthetic machine.
        rows: float32 (rows, n_mels), dB.
        abnormal: whether it contains a fault.
        samples: reads its samples, float32 (n,), at the features' rate; None for a synthetic machine.
    """

    name: str
    rows: Float32
    abnormal: bool = False
    samples: Callable[[], Float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingDevice:
    """A device and its recordings.

    Attributes:
        name: of its type and itself.
        recordings: in order of time.
    """

    name: str
    recordings: tuple[DeviceRecording, ...]

    @property
    def normal(self) -> list[DeviceRecording]:
        """Recordings without a fault."""
        return [one for one in self.recordings if not one.abnormal]

    @property
    def abnormal(self) -> list[DeviceRecording]:
        """Recordings with a fault."""
        return [one for one in self.recordings if one.abnormal]


def load_devices(data: Path, spec: FeatureSpec) -> tuple[list[TrainingDevice], list[str]]:
    """Devices of a folder, and the files' digests.

    Args:
        data: a set in a layout of :mod:`trainers.data.loaders`, or a plain folder of normal sound with files named
            ``<device>_<number>`` or one folder for each device.
        spec: the features.

    Raises:
        InputError: it contains nothing that can be used.
    """
    try:
        clips = load_clips(data)
    except WrongLayout as error:
        # A folder of abnormal sound has no normal sound to train on.
        if any(is_labelled(path.relative_to(data)) for path in sound_files(data)):
            raise
        return _load_plain_folder(data, spec, error)
    by_device: dict[str, list[DeviceRecording]] = {}
    for clip in track(clips, "reading clips"):
        if clip.label != "unknown":
            rows = rows_of(clip.samples(spec.sample_rate), spec.sample_rate, spec)
            samples = partial(clip.samples, spec.sample_rate)
            recording = DeviceRecording(clip.name, rows, clip.label == "abnormal", samples)
            by_device.setdefault(_device_of(clip), []).append(recording)
    return _devices(by_device), digest_of(clips)


def _devices(by_device: Mapping[str, Sequence[DeviceRecording]]) -> list[TrainingDevice]:
    return [TrainingDevice(name, tuple(recordings)) for name, recordings in sorted(by_device.items())]


def with_whole_windows(devices: Sequence[TrainingDevice], spec: FeatureSpec) -> tuple[list[TrainingDevice], int]:
    """Devices with their recordings of a window or longer, and the number of recordings that are shorter.

    Raises:
        UnusableAudio: all normal recordings are shorter.
    """
    usable = [
        TrainingDevice(device.name, tuple(one for one in device.recordings if len(one.rows) >= spec.n_frames))
        for device in devices
    ]
    if not any(device.normal for device in usable):
        lengths = [len(one.rows) for device in devices for one in device.normal]
        longest = (max(lengths, default=0) * spec.hop) / spec.sample_rate
        raise UnusableAudio(
            f"none of {len(lengths)} normal recordings lasts a window of {spec.window_seconds:.2f} s, the longest"
            f" {longest:.2f} s: give longer ones or choose shorter windows"
        )
    too_short = sum(len(device.recordings) for device in devices) - sum(len(device.recordings) for device in usable)
    return [device for device in usable if device.recordings], too_short


def _device_of(clip: Clip) -> str:
    snr = "" if clip.snr_db is None else f" at {clip.snr_db:g} dB"
    return f"{clip.machine}/{clip.unit}{snr}".strip("/") or "device"


def _load_plain_folder(data: Path, spec: FeatureSpec, error: WrongLayout) -> tuple[list[TrainingDevice], list[str]]:
    by_device: dict[str, list[DeviceRecording]] = {}
    recordings = read_folder(data, (), spec.sample_rate)
    _check_rates({data / one.name: header_of(data / one.name)[0] for one in recordings}, spec.sample_rate)
    for one in recordings:
        check_samples(one.samples, str(data / one.name))
        stem, _, number = Path(one.name).stem.rpartition("_")
        name = stem if stem and number.isdigit() else one.kind
        samples = partial(resampled, one.samples, one.sample_rate, spec.sample_rate)
        rows = rows_of(one.samples, one.sample_rate, spec)
        by_device.setdefault(name, []).append(DeviceRecording(one.name, rows, samples=samples))
    if all(len(group) == 1 for group in by_device.values()):
        raise InputError(f"{error}; or name the files of a device DEVICE_NUMBER") from None
    return _devices(by_device), [one.digest for one in recordings]


def _check_rates(rates: Mapping[Path, int], min_rate: int) -> None:
    """Refuses sound of a lower rate than the features', or of another rate than most recordings have."""
    counts = Counter(rates.values())
    usual_rate = max(counts, key=lambda hz: (counts[hz], hz))
    for path, rate in rates.items():
        if rate < min_rate:
            raise UnusableAudio(
                f"{path} has {rate} Hz, the features need {min_rate}: bands above {rate / 2:g} Hz would be empty;"
                " record it again or remove it"
            )
        if rate != usual_rate:
            raise UnusableAudio(
                f"{path} has {rate} Hz, most of the set {usual_rate}: features of both would not compare; convert it or"
                " remove it"
            )


def synthetic_devices(seed: int, count: int, seconds: float, spec: FeatureSpec) -> list[TrainingDevice]:
    """Synthetic machines of all kinds in turn, one recording each."""
    kinds = list(KINDS)
    devices = []
    for number in track(range(count), "making machines"):
        sound = random_machine(seed_of(seed, number), kinds[number % len(kinds)]).sound
        samples = np.clip(sound.at(0, int(seconds * SAMPLE_RATE)), -1.0, 1.0).astype(np.float32)
        name = f"synthetic/{number}"
        devices.append(TrainingDevice(name, (DeviceRecording(name, rows_of(samples, SAMPLE_RATE, spec)),)))
    return devices


def windows_and_recordings(
    recordings: Sequence[DeviceRecording], spec: FeatureSpec
) -> tuple[Float32, npt.NDArray[np.int64]]:
    """All windows of recordings, float32 (n, n_frames, n_mels), and the index of each one's recording, int64 (n,)."""
    parts = [windows_of(one.rows, spec) for one in recordings]
    counts = [len(part) for part in parts]
    empty = np.empty((0, spec.n_frames, spec.n_mels), np.float32)
    return np.concatenate([empty, *parts]), np.repeat(np.arange(len(parts), dtype=np.int64), counts)
