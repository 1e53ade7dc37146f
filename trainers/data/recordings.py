"""Folders of recordings, and the source recording each file was cut from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import to_mono
from processors.core.audio.resample import Resampler
from schemas.audio_files import AUDIO_SUFFIXES
from schemas.errors import EmptyAudio, UnreadableInput
from trainers.data.decoding import decode
from trainers.progress import track

_FULL_SCALE = 0.999
_CONTRIBUTOR = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_FREESOUND_CUT = re.compile(r"\d-(\d+)-[A-Z]$")
_NUMBERED_CUT = re.compile(r"(.+)_\d+$")
_DATED = re.compile(r"(.+)_\d{8}-\d{6}$")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One audio file, decoded.

    Attributes:
        name: its path below the data folder, with forward slashes.
        kind: its folder.
        source: the source recording it was cut from; a split never divides one source.
        samples: float32 (n,), mono, in [-1, 1].
        sample_rate: Hz.
        digest: sha256 of the file, hexadecimal.
        file_rate: Hz of the file itself.
        full_scale: share of the file's samples at full scale, 0 to 1.
    """

    name: str
    kind: str
    source: str
    samples: npt.NDArray[np.float32]
    sample_rate: int
    digest: str
    file_rate: int
    full_scale: float


def read_folder(root: Path, folders: Sequence[str], sample_rate: int) -> list[Recording]:
    """All recordings below ``root``'s folders, in the order of their names, at one rate.

    Args:
        root: the data folder.
        folders: folders below it; missing ones are skipped, and if none exists all of ``root`` is read.
        sample_rate: Hz to resample to, with the serving resampler.

    Raises:
        UnreadableInput: ``root`` is not a folder or holds no recording.
        NotAudio: a file cannot be decoded.
        EmptyAudio: a file holds no finite sample.
    """
    if not root.is_dir():
        raise UnreadableInput(f"{root} is not a folder: give the folder that holds the recordings")
    present = [root / folder for folder in folders if (root / folder).is_dir()] or [root]
    paths = sorted(
        {path for folder in present for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES},
        key=lambda path: path.relative_to(root).as_posix(),
    )
    if not paths:
        known = ", ".join(sorted(AUDIO_SUFFIXES))
        where = f" in {', '.join(folders)}" if folders else ""
        raise UnreadableInput(f"{root} holds no recording ({known}){where} or below")
    return [_read(root, path, sample_rate) for path in track(paths, "reading")]


def source_of(kind: str, stem: str) -> str:
    """The source recording a file was cut from, derived from its name.

    Known forms: a contributor's UUID in front (donate-a-cry), ``fold-source-take`` (ESC-10), ``name_3`` (a numbered
    cut), ``name_20221027-234636`` (a dated piece of one long recording; each ten minutes count as one source).

    Args:
        kind: the folder.
        stem: file name without suffix.
    """
    if match := _CONTRIBUTOR.match(stem):
        return f"{kind}/{match.group(0).lower()}"
    if match := _FREESOUND_CUT.match(stem):
        return f"freesound/{match.group(1)}"
    if match := _DATED.match(stem):
        return f"{kind}/{match.group(1)}_{stem[-15:-3]}"
    if match := _NUMBERED_CUT.match(stem):
        return f"{kind}/{match.group(1)}"
    return f"{kind}/{stem}"


def resampled(samples: npt.NDArray[np.float32], rate_in: int, rate_out: int) -> npt.NDArray[np.float32]:
    """Samples at another rate, float32 (n,), by the serving resampler."""
    resampler = Resampler(rate_in, rate_out)
    return resampler(samples, 0, 0, resampler.outputs_until(len(samples)))


def _read(root: Path, path: Path, sample_rate: int) -> Recording:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableInput.of(path, error) from None
    samples, rate = decode(path)
    mono = to_mono(samples)
    if mono.size == 0:
        raise EmptyAudio(f"{path} holds no sample: remove it from the folder")
    if not np.isfinite(mono).all():
        raise EmptyAudio(f"{path} holds {mono.size} samples, not all of them finite: remove it from the folder")
    name = path.relative_to(root)
    return Recording(
        name=name.as_posix(),
        kind=name.parent.name or root.name,
        source=source_of(name.parent.name, path.stem),
        samples=resampled(mono, rate, sample_rate),
        sample_rate=sample_rate,
        digest=hashlib.sha256(raw).hexdigest(),
        file_rate=rate,
        full_scale=float(np.mean(np.abs(mono) >= _FULL_SCALE)),
    )
