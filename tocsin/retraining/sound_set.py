"""The sound for a retraining, split in time into training and held-out parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SettingsError
from tocsin.capture.manifest import CaptureManifest
from trainers.data.loaders.folders import load_folders

_SECOND_NS = 1_000_000_000
_MIN_FILES = 3


@dataclass(frozen=True, slots=True)
class SoundFile:
    """One labelled file.

    Attributes:
        path: the file.
        name: its path below the set's folder, with forward slashes.
        device: that it was captured from.
        abnormal: whether it is labelled abnormal.
        source: recording it was cut from; consecutive files of a source are joined.
        begin_ns, end_ns: capture time, or position in the order of the files; nanoseconds.
    """

    path: Path
    name: str
    device: str
    abnormal: bool
    source: str
    begin_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Its length, s."""
        return (self.end_ns - self.begin_ns) / _SECOND_NS


@dataclass(frozen=True, slots=True)
class Split:
    """A sound set in three parts, consecutive in time for each device.

    Attributes:
        training: normal sound to train on, and abnormal sound of the same time.
        reference: held out; normal sound that thresholds are set on.
        evaluation: held out; normal sound that models are evaluated on, and all held-out abnormal sound.
        too_short: devices with too little sound to hold any out; all of it is used for training.
    """

    training: tuple[SoundFile, ...]
    reference: tuple[SoundFile, ...]
    evaluation: tuple[SoundFile, ...]
    too_short: tuple[str, ...] = ()


def read_sound_set(folder: Path) -> list[SoundFile]:
    """The files of a capture, or of plain folders ``normal/<device>`` and ``abnormal/<device>``.

    Raises:
        InputError: the folder cannot be used.
    """
    manifest = CaptureManifest.load(folder)
    if manifest is not None:
        return [
            SoundFile(
                path=folder / one.file,
                name=one.file,
                device=one.clip.device_id,
                abnormal=one.label == "abnormal",
                source=one.clip.session_id,
                begin_ns=one.clip.captured_ns,
                end_ns=one.clip.end_ns,
            )
            for one in manifest.clips
        ]
    files: list[SoundFile] = []
    ends: dict[str, int] = {}
    for clip in load_folders(folder):
        device = "/".join(filter(None, (clip.machine, clip.unit))) or folder.name
        begin = ends.get(device, 0)
        ends[device] = begin + clip.length * _SECOND_NS // clip.sample_rate
        # The files may not be consecutive: each is a source of its own.
        files.append(SoundFile(clip.path, clip.name, device, clip.label == "abnormal", clip.name, begin, ends[device]))
    return files


def split(files: Iterable[SoundFile], held_out: float, hour_ns: int = 3_600 * _SECOND_NS) -> Split:
    """Holds out the latest sound of every device.

    If a device has sound of several hours, the split falls between two hours, so that no hour is on both sides. A third
    of the held-out sound is the reference.

    Args:
        files: in any order.
        held_out: share of each device's normal sound, above 0 and below 1.
        hour_ns: length of an hour.

    Raises:
        SettingsError: no device has three files of normal sound.
    """
    training: list[SoundFile] = []
    reference: list[SoundFile] = []
    evaluation: list[SoundFile] = []
    too_short: list[str] = []
    everything = list(files)
    for device in sorted({one.device for one in everything}):
        mine = sorted((one for one in everything if one.device == device), key=lambda one: (one.begin_ns, one.name))
        normal = [one for one in mine if not one.abnormal]
        if len(normal) < _MIN_FILES:
            too_short.append(device)
            training += mine
            continue
        first_held_out = _first_held_out(normal, held_out, hour_ns)
        late = normal[first_held_out:]
        third = min(max(1, _index_at(late, 1.0 / 3.0)), len(late) - 1)
        reference += late[:third]
        evaluation += late[third:]
        training += normal[:first_held_out]
        begin = late[0].begin_ns
        training += [one for one in mine if one.abnormal and one.begin_ns < begin]
        evaluation += [one for one in mine if one.abnormal and one.begin_ns >= begin]
    if not evaluation:
        raise SettingsError(
            f"no device has {_MIN_FILES} clips of normal sound, to train on some and evaluate on others: give an"
            " earlier --since, or shorter clips with --clip"
        )
    return Split(tuple(training), tuple(reference), tuple(evaluation), tuple(too_short))


def _first_held_out(normal: Sequence[SoundFile], held_out: float, hour_ns: int) -> int:
    """Index of the first held-out file: at least one file is before it, and at least two from it on."""
    wanted = min(max(1, _index_at(normal, 1.0 - held_out)), len(normal) - 2)
    hours = [one.begin_ns // hour_ns for one in normal]
    boundaries = [index for index in range(1, len(normal) - 1) if hours[index] != hours[index - 1]]
    return min(boundaries, key=lambda index: abs(index - wanted), default=wanted)


def _index_at(files: Sequence[SoundFile], share: float) -> int:
    """Index of the first file that begins after ``share`` of the files' sound."""
    due = share * sum(one.seconds for one in files)
    passed_s = 0.0
    for index, one in enumerate(files):
        if passed_s >= due - 1e-9:
            return index
        passed_s += one.seconds
    return len(files)
