"""A folder of sensor files as trainers read it: the same PCM that a producer would send."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import soundfile

from producers.sources.sensor import SensorOptions, SensorRecording, read_sensor
from schemas.audio_files import AUDIO_SUFFIXES
from schemas.errors import OutputError, SettingsError, UserError

SENSOR_SUFFIXES = frozenset({".npz", ".csv"})


@contextmanager
def as_recordings(data: Path | None, options: SensorOptions) -> Iterator[Path | None]:
    """The folder to train on: ``data`` itself, or while the block lasts a copy whose sensor files have become WAV.

    All files of a folder share one scale, as the files of one device do in ``tocsin produce sensor``. A folder that
    holds audio files is used unchanged: tables beside them are lists and labels. Errors raised in the block name the
    sensor files, not their copies.

    Args:
        data: the folder, or whatever else a recipe takes.
        options: what the sensor files do not say.

    Raises:
        InputError: a sensor file cannot be used; the class names how.
        SettingsError: options are given where there is no sensor file, or are out of range.
        OutputError: there is no room for the copy.
    """
    found = _sensor_files(data)
    if data is None or not found:
        if options != SensorOptions():
            raise SettingsError(
                f"{data or 'no --data'}: --rate, --column and --full-scale are for folders of sensor files (npz, CSV)"
                " without audio files beside them"
            )
        yield data
        return
    if options.full_scale is None:
        options = replace(options, full_scale=max(read_sensor(path, options).full_scale for path in found))
    folder = tempfile.mkdtemp(prefix="tocsin-train-")
    try:
        # Some layouts are recognised by parent folders: the copy has all of them.
        root = Path(folder, *data.resolve().parts[1:])
        names = {}
        for path in found:
            names[_written(read_sensor(path, options), root / path.relative_to(data))] = path
        _link_others(data, root, set(found))
        try:
            yield root
        except UserError as error:
            raise type(error)(_renamed(str(error), names, root, data)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sensor_files(data: Path | None) -> list[Path]:
    """The sensor files of a folder without sound, in the order of their names."""
    if data is None or not data.is_dir():
        return []
    files = [path for path in data.rglob("*") if path.is_file() and not path.name.startswith(".")]
    if any(path.suffix.lower() in AUDIO_SUFFIXES for path in files):
        return []
    return sorted(path for path in files if path.suffix.lower() in SENSOR_SUFFIXES)


def _written(recording: SensorRecording, path: Path) -> Path:
    """Writes a recording in PCM steps, and says where: beside another of the same stem under its whole name."""
    file = path.with_suffix(".wav")
    if file.exists():
        file = path.with_name(f"{path.name}.wav")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with soundfile.SoundFile(
            file, "w", recording.sample_rate, recording.channels, subtype="PCM_16", format="WAV"
        ) as out:
            for block in recording.blocks():
                out.write(block.samples)
    except (OSError, soundfile.LibsndfileError) as error:
        raise OutputError(
            f"{recording.path} could not be copied to {file} ({error}): free some disk space, or set TMPDIR to a folder"
            " with more"
        ) from None
    return file


def _link_others(data: Path, root: Path, sensor_files: set[Path]) -> None:
    """Lets what else lies in the folder, such as labels, lie in the copy."""
    for path in data.rglob("*"):
        place = root / path.relative_to(data)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif path not in sensor_files:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())


def _renamed(text: str, names: dict[Path, Path], root: Path, data: Path) -> str:
    for copy, path in names.items():
        text = text.replace(str(copy), str(path))
    return text.replace(str(root), str(data))
