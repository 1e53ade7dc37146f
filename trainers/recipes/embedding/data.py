"""Whom the fleet recipe hears: devices, each with recordings."""

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
class Heard:
    """A recording.

    Attributes:
        name: of the file, or of the machine that was made.
        rows: float32 (rows, n_mels), dB.
        abnormal: whether it holds a fault.
        sound: reads its samples, float32 (n,), at the features' rate; None for a machine that was made.
    """

    name: str
    rows: Float32
    abnormal: bool = False
    sound: Callable[[], Float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """A device.

    Attributes:
        name: of its type and itself.
        recordings: of its sound, in order.
    """

    name: str
    recordings: tuple[Heard, ...]

    @property
    def normal(self) -> list[Heard]:
        """Recordings without a fault."""
        return [one for one in self.recordings if not one.abnormal]

    @property
    def abnormal(self) -> list[Heard]:
        """Recordings with one."""
        return [one for one in self.recordings if one.abnormal]


def load_devices(data: Path, spec: FeatureSpec) -> tuple[list[Device], list[str]]:
    """Devices of a folder, and the files' digests.

    Args:
        data: a set in a layout of :mod:`trainers.data.loaders`, or a plain folder of normal sound whose files are named
            ``<device>_<number>`` or lie in a folder a device.
        spec: the features.

    Raises:
        InputError: it holds nothing that can be used.
    """
    try:
        clips = load_clips(data)
    except WrongLayout as error:
        # A folder of abnormal sound is no device whose normal sound could be learned.
        if any(is_labelled(path.relative_to(data)) for path in sound_files(data)):
            raise
        return _plain(data, spec, error)
    found: dict[str, list[Heard]] = {}
    for clip in track(clips, "listening"):
        if clip.label != "unknown":
            rows = rows_of(clip.samples(spec.sample_rate), spec.sample_rate, spec)
            sound = partial(clip.samples, spec.sample_rate)
            found.setdefault(_device_of(clip), []).append(Heard(clip.name, rows, clip.label == "abnormal", sound))
    return [Device(name, tuple(heard)) for name, heard in sorted(found.items())], digest_of(clips)


def lasting(devices: Sequence[Device], spec: FeatureSpec) -> tuple[list[Device], int]:
    """Devices with those of their recordings that hold a window, and how many recordings hold none.

    Raises:
        UnusableAudio: no normal recording holds one.
    """
    kept = [
        Device(device.name, tuple(one for one in device.recordings if len(one.rows) >= spec.n_frames))
        for device in devices
    ]
    if not any(device.normal for device in kept):
        lengths = [len(one.rows) for device in devices for one in device.normal]
        longest = (max(lengths, default=0) * spec.hop) / spec.sample_rate
        raise UnusableAudio(
            f"none of {len(lengths)} normal recordings lasts a window of {spec.window_seconds:.2f} s, the longest"
            f" {longest:.2f} s: give longer ones or take shorter windows"
        )
    left = sum(len(device.recordings) for device in devices) - sum(len(device.recordings) for device in kept)
    return [device for device in kept if device.recordings], left


def _device_of(clip: Clip) -> str:
    snr = "" if clip.snr_db is None else f" at {clip.snr_db:g} dB"
    return f"{clip.machine}/{clip.unit}{snr}".strip("/") or "device"


def _plain(data: Path, spec: FeatureSpec, error: WrongLayout) -> tuple[list[Device], list[str]]:
    found: dict[str, list[Heard]] = {}
    recordings = read_folder(data, (), spec.sample_rate)
    _check_rates({data / one.name: header_of(data / one.name)[0] for one in recordings}, spec.sample_rate)
    for one in recordings:
        check_samples(one.samples, str(data / one.name))
        stem, _, number = Path(one.name).stem.rpartition("_")
        name = stem if stem and number.isdigit() else one.kind
        sound = partial(resampled, one.samples, one.sample_rate, spec.sample_rate)
        rows = rows_of(one.samples, one.sample_rate, spec)
        found.setdefault(name, []).append(Heard(one.name, rows, sound=sound))
    if all(len(heard) == 1 for heard in found.values()):
        raise InputError(f"{error}; or name the files of a device DEVICE_NUMBER") from None
    return [Device(name, tuple(heard)) for name, heard in sorted(found.items())], [one.digest for one in recordings]


def _check_rates(rates: Mapping[Path, int], least: int) -> None:
    """Refuses sound of a lower rate than the features', and of another one than most of it has."""
    counts = Counter(rates.values())
    due = max(counts, key=lambda hz: (counts[hz], hz))
    for path, rate in rates.items():
        if rate < least:
            raise UnusableAudio(
                f"{path} has {rate} Hz, the features want {least}: bands above {rate / 2:g} Hz would be empty; record"
                " anew or remove it"
            )
        if rate != due:
            raise UnusableAudio(
                f"{path} has {rate} Hz, most of the set {due}: features of both would not compare; convert it or remove"
                " it"
            )


def synthetic_devices(seed: int, count: int, seconds: float, spec: FeatureSpec) -> list[Device]:
    """Machines that were made, of all kinds in turn, one recording each."""
    kinds = list(KINDS)
    devices = []
    for number in track(range(count), "making machines"):
        sound = random_machine(seed_of(seed, number), kinds[number % len(kinds)]).sound
        samples = np.clip(sound.at(0, int(seconds * SAMPLE_RATE)), -1.0, 1.0).astype(np.float32)
        name = f"synthetic/{number}"
        devices.append(Device(name, (Heard(name, rows_of(samples, SAMPLE_RATE, spec)),)))
    return devices


def windows_and_recordings(heard: Sequence[Heard], spec: FeatureSpec) -> tuple[Float32, npt.NDArray[np.int64]]:
    """All windows of recordings, float32 (n, n_frames, n_mels), and which recording each is of, int64 (n,)."""
    parts = [windows_of(one.rows, spec) for one in heard]
    counts = [len(part) for part in parts]
    none = np.empty((0, spec.n_frames, spec.n_mels), np.float32)
    return np.concatenate([none, *parts]), np.repeat(np.arange(len(parts), dtype=np.int64), counts)
