"""Device ids, and the assignment of files to devices."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from producers.source import PlaybackJob, Source
from schemas.audio_files import AUDIO_SUFFIXES
from schemas.device import Device, DeviceKind
from schemas.errors import InputError, NotAudio, SettingsError, UnreadableInput
from schemas.identity import is_name, is_regime

S = TypeVar("S", bound=Source)

_MAX_LENGTH = 90
"""Leaves room for a number after the name."""


def device_name(text: str) -> str:
    """A device id that resembles ``text``: letters without accents, ``-`` for characters that an id may not contain."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-._")[:_MAX_LENGTH] or "device"


def device_names(texts: Iterable[str]) -> list[str]:
    """Unique device ids in the order of ``texts``."""
    names: list[str] = []
    taken: set[str] = set()
    for text in texts:
        first = name = device_name(text)
        number = 2
        while name in taken:
            name = f"{first}-{number}"
            number += 1
        taken.add(name)
        names.append(name)
    return names


def check_device(device_id: str) -> str:
    """Returns the id.

    Raises:
        SettingsError: it is not a valid device id.
    """
    if not is_name(device_id):
        raise SettingsError(
            f"device id {device_id!r}; use 1 to 100 letters, digits, '.', '_' or '-',"
            f" such as {device_name(device_id)!r}"
        )
    return device_id


def check_regime(regime: str) -> str:
    """Returns the operating regime; "" reports none.

    Raises:
        SettingsError: it is not a valid regime.
    """
    if regime and not is_regime(regime):
        raise SettingsError(f"--regime {regime!r}; use 1 to 32 letters, digits, '.', '_' or '-', such as night")
    return regime


def expand(paths: Iterable[Path]) -> list[Path]:
    """The given files, and the audio files in the given folders, sorted by name within each folder.

    Raises:
        UnreadableInput: a path does not exist, or a folder cannot be read.
        NotAudio: a folder holds no audio file.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            inside = sorted(
                entry for entry in path.iterdir() if entry.suffix.lower() in AUDIO_SUFFIXES and entry.is_file()
            )
        except OSError as error:
            raise UnreadableInput.of(path, error) from None
        if not inside:
            raise NotAudio(
                f"folder {path} holds no audio file ({', '.join(sorted(AUDIO_SUFFIXES))}); subfolders are not read"
            )
        files += inside
    return files


def probe_all(paths: Sequence[Path], probe: Callable[[Path], S]) -> tuple[list[S], list[str]]:
    """The usable sources, and the error messages of the other files.

    Args:
        paths: one or more files.
        probe: opens a file as a source.

    Raises:
        InputError: no file is usable; the error of the first one.
    """
    sources: list[S] = []
    failures: list[InputError] = []
    for path in paths:
        try:
            sources.append(probe(path))
        except InputError as error:
            failures.append(error)
    if not sources:
        raise failures[0]
    return sources, [str(error) for error in failures]


def playback_jobs(
    sources: Sequence[Source],
    *,
    kind: DeviceKind,
    device_id: str | None = None,
    passes: int = 1,
    regime: str = "",
) -> list[PlaybackJob]:
    """Each source as a device of its own, or all of them as sessions of one device.

    Args:
        sources: one or more; each device is named after its source.
        kind: of every device.
        device_id: one device for all sources; None makes one device per source.
        passes: number of times everything is played, >= 1.
        regime: operating regime to report; "" reports none.

    Raises:
        SettingsError: ``device_id`` or ``passes`` is out of range.
    """
    if passes < 1:
        raise SettingsError(f"--loop {passes}; choose 1 or more")
    groups: list[tuple[str, tuple[Source, ...]]]
    if device_id is not None:
        groups = [(check_device(device_id), tuple(sources))]
    else:
        names = device_names(Path(source.name).stem for source in sources)
        groups = [(name, (source,)) for name, source in zip(names, sources, strict=True)]
    return [PlaybackJob(_device(name, kind, group), group, passes, regime) for name, group in groups]


def _device(name: str, kind: DeviceKind, sources: tuple[Source, ...]) -> Device:
    rates = {source.sample_rate for source in sources}
    names = sources[0].name if len(sources) == 1 else f"{sources[0].name} and {len(sources) - 1} more"
    return Device(
        device_id=name,
        kind=kind,
        sample_rate=rates.pop() if len(rates) == 1 else None,
        unit=sources[0].unit,
        full_scale=sources[0].full_scale,
        description=f"plays {names}"[:500],
    )
