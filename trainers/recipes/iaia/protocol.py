"""Which clips are used to train and which to test: IAIA2's protocol, and one that keeps them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from schemas.errors import WrongLayout
from trainers.data.loaders.archive import FeatureCell
from trainers.recipes.iaia.data import FeatureCells

Float32 = npt.NDArray[np.float32]

Protocol = Literal["source", "clean"]

# IAIA2's own numbers of clips: of a machine's denoiser, its detector and its test.
_SOURCE_SIZES: dict[str, dict[str, tuple[int, int, int]]] = {
    "fan": {"id_00": (285, 794, 339), "id_02": (276, 769, 330), "id_04": (278, 773, 330), "id_06": (277, 770, 329)},
    "pump": {"id_00": (231, 643, 275), "id_04": (162, 448, 192)},
    "slider": {"id_00": (287, 797, 340), "id_04": (144, 398, 170)},
}
# The same shares, for sets of other sizes.
_DENOISER_SHARE, _DETECTOR_SHARE = 0.28, 0.78
_MIN_TRAIN = 4


@dataclass(frozen=True, slots=True, eq=False)
class CellSplit:
    """Training and test rows of one machine at one SNR.

    Attributes:
        unit, snr_db: which.
        train: rows of normal clips the detector is fitted to, float32 (n, 136).
        normal, abnormal: rows of the test clips.
    """

    unit: str
    snr_db: float
    train: Float32
    normal: Float32
    abnormal: Float32


@dataclass(frozen=True, slots=True, eq=False)
class ProtocolSplit:
    """The rows that each part of the chain is fitted to and tested on.

    Attributes:
        scaling: rows; their minimum and maximum become 0 and 1, float32 (n, 136).
        denoising: rows the denoisers are trained on.
        splits: all machines at all SNRs.
    """

    scaling: Float32
    denoising: Float32
    splits: tuple[CellSplit, ...]


def split_cells(cells: FeatureCells, protocol: Protocol) -> ProtocolSplit:
    """Splits the clips.

    ``source``: scaling by all normal clips of the highest SNR, test clips included; denoisers train on the first ones
    of each machine, a detector on the first ones of its own SNR; the test has the next normal and the first
    abnormal ones, half and half. Of pumps and sliders only two machines are used, as IAIA2 did.

    ``clean``: MIMII's own split: the test has all abnormal and the first as many normal clips; scaling, denoisers and
    detectors all use the rest. Clips of one number are one recording at several SNRs, so that no test clip is trained
    on at another SNR either.

    Raises:
        WrongLayout: a machine has too few normal clips.
    """
    return _source(cells) if protocol == "source" else _clean(cells)


def _source(cells: FeatureCells) -> ProtocolSplit:
    highest_snr = max(cells.snrs)
    sizes = {}
    for unit in cells.units:
        cell = cells.cell(highest_snr, unit)
        known = _SOURCE_SIZES.get(cells.machine, {})
        needed = sum(known[unit][1:]) - known[unit][2] // 2 if unit in known else 0
        fits = bool(needed) and len(cell.normal) >= needed and len(cell.abnormal) >= known[unit][2] // 2
        if fits:
            sizes[unit] = known[unit]
    if not sizes:
        sizes = {unit: _sizes_by_share(cells.cell(highest_snr, unit)) for unit in cells.units}
    splits = []
    for snr_db in cells.snrs:
        for unit, (_, n_train, n_test) in sizes.items():
            cell = cells.cell(snr_db, unit)
            abnormal = n_test // 2
            normal = cell.normal[n_train : n_train + n_test - abnormal]
            splits.append(CellSplit(unit, snr_db, cell.normal[:n_train], normal, cell.abnormal[:abnormal]))
    reference = [cells.cell(highest_snr, unit).normal for unit in sizes]
    first = [rows[: sizes[unit][0]] for unit, rows in zip(sizes, reference, strict=True)]
    return ProtocolSplit(np.concatenate(reference), np.concatenate(first), tuple(splits))


def _sizes_by_share(cell: FeatureCell) -> tuple[int, int, int]:
    n_train = int(_DETECTOR_SHARE * len(cell.normal))
    n_test = min(len(cell.normal) - n_train, len(cell.abnormal))
    _check(cell, n_train, n_test)
    return max(int(_DENOISER_SHARE * len(cell.normal)), 2), n_train, 2 * n_test


def _clean(cells: FeatureCells) -> ProtocolSplit:
    highest_snr = max(cells.snrs)
    splits = []
    for snr_db in cells.snrs:
        for unit in cells.units:
            cell = cells.cell(snr_db, unit)
            n_test = min(len(cell.abnormal), len(cell.normal) // 2)
            _check(cell, len(cell.normal) - n_test, n_test)
            splits.append(CellSplit(unit, snr_db, cell.normal[n_test:], cell.normal[:n_test], cell.abnormal))
    training = np.concatenate([split.train for split in splits if split.snr_db == highest_snr])
    return ProtocolSplit(training, training, tuple(splits))


def _check(cell: FeatureCell, n_train: int, n_test: int) -> None:
    if n_train < _MIN_TRAIN or n_test < 1:
        raise WrongLayout(
            f"{cell.unit} at {cell.snr_db:g} dB has {len(cell.normal)} normal and {len(cell.abnormal)} abnormal clips,"
            f" {n_train} of them to train on; at least {_MIN_TRAIN} are needed: add recordings"
        )
