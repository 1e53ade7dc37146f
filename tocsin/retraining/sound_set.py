"""The sound a model is retrained on, and which of it is held out in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SettingsError
from tocsin.capture.manifest import CaptureManifest
from trainers.data.loaders.folders import load_folders

_SECOND_NS = 1_000_000_000
_LEAST_FILES = 3


@dataclass(frozen=True, slots=True)
class SoundFile:
    """One labelled file.

    Attributes:
        path: the file.
        name: its path below the set's folder, with forward slashes.
        device: whose.
        abnormal: whether it is not normal sound.
        take: what it was cut from; consecutive files of a take are joined.
        begin_ns, end_ns: when it was captured, or where it lies in the order of the files; nanoseconds.
    """

    path: Path
    name: str
    device: str
    abnormal: bool
    take: str
    begin_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Its length, s."""
        return (self.end_ns - self.begin_ns) / _SECOND_NS


@dataclass(frozen=True, slots=True)
class Split:
    """A set in parts, each device's in order of time; no part is later than the next.

    Attributes:
        learned: normal sound to learn from, and abnormal of the same time.
        reference: held out; normal sound that thresholds are set on.
        measured: held out; normal sound that models are measured on, and all abnormal sound held out.
        too_short: devices with too little sound to evaluate any of it out; all of theirs is learned from.
    """

    learned: tuple[SoundFile, ...]
    reference: tuple[SoundFile, ...]
    measured: tuple[SoundFile, ...]
    too_short: tuple[str, ...] = ()


def read_set(folder: Path) -> list[SoundFile]:
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
                take=one.clip.session_id,
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
        # Nothing says that one file goes on where another ends: each is a take of its own.
        files.append(SoundFile(clip.path, clip.name, device, clip.label == "abnormal", clip.name, begin, ends[device]))
    return files


def split(files: Iterable[SoundFile], held_out: float, hour_ns: int = 3_600 * _SECOND_NS) -> Split:
    """Holds out the latest sound of every device.

    The line between what is learned and what is held out falls between two hours where a device was heard in several,
    so that a moment is never on both sides. A third of what is held out is the reference.

    Args:
        files: in any order.
        held_out: share of each device's normal sound, above 0 and below 1.
        hour_ns: length of an hour.

    Raises:
        SettingsError: no device has three files of normal sound.
    """
    learned: list[SoundFile] = []
    reference: list[SoundFile] = []
    measured: list[SoundFile] = []
    too_short: list[str] = []
    everything = list(files)
    for device in sorted({one.device for one in everything}):
        mine = sorted((one for one in everything if one.device == device), key=lambda one: (one.begin_ns, one.name))
        normal = [one for one in mine if not one.abnormal]
        if len(normal) < _LEAST_FILES:
            too_short.append(device)
            learned += mine
            continue
        line = _line(normal, held_out, hour_ns)
        late = normal[line:]
        third = min(max(1, _index_at(late, 1.0 / 3.0)), len(late) - 1)
        reference += late[:third]
        measured += late[third:]
        learned += normal[:line]
        begin = late[0].begin_ns
        learned += [one for one in mine if one.abnormal and one.begin_ns < begin]
        measured += [one for one in mine if one.abnormal and one.begin_ns >= begin]
    if not measured:
        raise SettingsError(
            f"no device has {_LEAST_FILES} clips of normal sound, to learn from some and measure on others: take more"
            " time with --since, or shorter clips with --clip"
        )
    return Split(tuple(learned), tuple(reference), tuple(measured), tuple(too_short))


def _line(normal: Sequence[SoundFile], held_out: float, hour_ns: int) -> int:
    """Index of the first file that is held out: at least one before it, at least two from it on."""
    wanted = min(max(1, _index_at(normal, 1.0 - held_out)), len(normal) - 2)
    hours = [one.begin_ns // hour_ns for one in normal]
    turns = [index for index in range(1, len(normal) - 1) if hours[index] != hours[index - 1]]
    return min(turns, key=lambda index: abs(index - wanted), default=wanted)


def _index_at(files: Sequence[SoundFile], share: float) -> int:
    """Index of the first file that begins after ``share`` of the files' sound."""
    due = share * sum(one.seconds for one in files)
    heard = 0.0
    for index, one in enumerate(files):
        if heard >= due - 1e-9:
            return index
        heard += one.seconds
    return len(files)
