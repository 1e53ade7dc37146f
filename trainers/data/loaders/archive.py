"""Archives of clip features: what was computed of MIMII by IAIA2, one row a clip."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import EmptyAudio, UnreadableInput, WrongLayout

_KEY = re.compile(r"(?P<snr>-?\d+(?:\.\d+)?)dB/(?P<unit>[\w-]+)/(?P<label>normal|abnormal)$")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureCell:
    """One machine at one SNR.

    Attributes:
        unit: such as ``id_00``.
        snr_db: dB.
        normal, abnormal: float32 (clips, features), in the order of the files.
    """

    unit: str
    snr_db: float
    normal: npt.NDArray[np.float32]
    abnormal: npt.NDArray[np.float32]


def load_archive(path: Path) -> list[FeatureCell]:
    """All cells of an archive whose arrays are named ``6dB/id_00/normal``, by SNR from high to low, then by unit.

    Raises:
        UnreadableInput: the file cannot be read, or is no npz archive.
        WrongLayout: an array's name is none of these; a cell lacks a class, or holds no row of it; widths differ.
        EmptyAudio: a feature is not finite.
    """
    found: dict[tuple[float, str], dict[str, npt.NDArray[np.float32]]] = {}
    try:
        with np.load(path) as arrays:
            for key in arrays.files:
                match = _KEY.fullmatch(key)
                if match is None:
                    raise WrongLayout(f"{path}: array {key!r} is not named as 6dB/id_00/normal: is it another archive?")
                cell = found.setdefault((float(match["snr"]), match["unit"]), {})
                cell[match["label"]] = np.asarray(arrays[key], dtype=np.float32)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UnreadableInput(f"{path} cannot be read as an npz archive: {error}") from None
    if not found:
        raise WrongLayout(f"{path} holds no array")
    cells = []
    for (snr_db, unit), arrays_of in sorted(found.items(), key=lambda item: (-item[0][0], item[0][1])):
        for label in ("normal", "abnormal"):
            rows = arrays_of.get(label)
            if rows is None or rows.ndim != 2 or not len(rows):
                shape = "none" if rows is None else rows.shape
                raise WrongLayout(f"{path}: {snr_db:g}dB/{unit}/{label} must hold rows of features; it holds {shape}")
            if not np.isfinite(rows).all():
                raise EmptyAudio(f"{path}: {snr_db:g}dB/{unit}/{label} holds features that are not finite")
        cells.append(FeatureCell(unit, snr_db, arrays_of["normal"], arrays_of["abnormal"]))
    widths = {rows.shape[1] for cell in cells for rows in (cell.normal, cell.abnormal)}
    if len(widths) > 1:
        raise WrongLayout(f"{path}: rows of {', '.join(map(str, sorted(widths)))} features; one width is needed")
    return cells
