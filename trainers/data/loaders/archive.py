"""Archives of clip features: IAIA2's features of MIMII, one row per clip."""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import EmptyAudio, UnreadableInput, WrongLayout
from schemas.npz import array_names, read_array

_MAX_BYTES = 4 * 1024**3
_KEY = re.compile(r"(?P<snr>-?\d+(?:\.\d+)?)dB/(?P<unit>[\w-]+)/(?P<label>normal|abnormal)$")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureCell:
    """Features of one machine at one SNR.

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
        UnreadableInput: the file cannot be read, or is not an npz archive.
        WrongLayout: an array has another name; a class of a cell is missing or empty; widths differ.
        EmptyAudio: a feature is not finite.
    """
    found: dict[tuple[float, str], dict[str, npt.NDArray[np.float32]]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for key in array_names(archive):
                match = _KEY.fullmatch(key)
                if match is None:
                    raise WrongLayout(
                        f"{path}: array {key!r} is not named like 6dB/id_00/normal: is it another archive?"
                    )
                cell = found.setdefault((float(match["snr"]), match["unit"]), {})
                cell[match["label"]] = np.asarray(read_array(archive, key, _MAX_BYTES), dtype=np.float32)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise UnreadableInput(f"{path} cannot be read as an npz archive: {error}") from None
    if not found:
        raise WrongLayout(f"{path} holds no array: give an archive of IAIA2 features")
    cells = []
    for (snr_db, unit), arrays_of in sorted(found.items(), key=lambda item: (-item[0][0], item[0][1])):
        for label in ("normal", "abnormal"):
            rows = arrays_of.get(label)
            if rows is None or rows.ndim != 2 or not len(rows):
                shape = "none" if rows is None else rows.shape
                raise WrongLayout(f"{path}: {snr_db:g}dB/{unit}/{label} must hold rows of features, not {shape}")
            if not np.isfinite(rows).all():
                raise EmptyAudio(f"{path}: {snr_db:g}dB/{unit}/{label} holds features that are not finite")
        cells.append(FeatureCell(unit, snr_db, arrays_of["normal"], arrays_of["abnormal"]))
    widths = {rows.shape[1] for cell in cells for rows in (cell.normal, cell.abnormal)}
    if len(widths) > 1:
        raise WrongLayout(
            f"{path}: rows of {', '.join(map(str, sorted(widths)))} features: all rows need the same width"
        )
    return cells
