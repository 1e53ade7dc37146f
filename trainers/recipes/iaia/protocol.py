"""Which clips are learned from and which are measured on: as IAIA2 did it, and as it should be done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.errors import SettingsError, WrongLayout
from trainers.data.loaders.archive import FeatureCell
from trainers.recipes.iaia.data import FeatureCells

Float32 = npt.NDArray[np.float32]

PROTOCOLS = ("source", "clean")

# IAIA2's own numbers of clips: of a machine's denoiser, its detector and its test.
_SOURCE_SIZES: dict[str, dict[str, tuple[int, int, int]]] = {
    "fan": {"id_00": (285, 794, 339), "id_02": (276, 769, 330), "id_04": (278, 773, 330), "id_06": (277, 770, 329)},
    "pump": {"id_00": (231, 643, 275), "id_04": (162, 448, 192)},
    "slider": {"id_00": (287, 797, 340), "id_04": (144, 398, 170)},
}
# The same shares, for sets of other sizes.
_DENOISER_SHARE, _DETECTOR_SHARE = 0.28, 0.78


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One machine at one SNR.

    Attributes:
        unit, snr_db: which.
        train: rows of normal clips the detector learns from, float32 (n, 136).
        normal, abnormal: rows of the clips it is measured on.
    """

    unit: str
    snr_db: float
    train: Float32
    normal: Float32
    abnormal: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is learned from what.

    Attributes:
        scaling: rows whose least and greatest values become 0 and 1, float32 (n, 136).
        denoising: rows the denoisers learn from.
        splits: all machines at all SNRs.
    """

    scaling: Float32
    denoising: Float32
    splits: tuple[Split, ...]


def plan(cells: FeatureCells, protocol: str) -> Plan:
    """Deals the clips.

    ``source``: scaling by all normal clips of the highest SNR, test clips among them; denoisers learn from the first
    ones of each machine; a detector from the first ones of its own SNR; the test has the next normal and the first
    abnormal ones, half and half. Of pumps and sliders only two machines are used, as IAIA2 did.

    ``clean``: MIMII's own split: the test has all abnormal and the first as many normal clips; all else is learned
    from, by scaling, denoisers and detectors alike. Clips of one number are one take at several SNRs, so that a test
    clip is not learned from at another SNR either.

    Raises:
        SettingsError: there is no such protocol.
        WrongLayout: a machine has too few normal clips.
    """
    if protocol not in PROTOCOLS:
        raise SettingsError(f"no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    return _source(cells) if protocol == "source" else _clean(cells)


def _source(cells: FeatureCells) -> Plan:
    loud = max(cells.snrs)
    sizes = {}
    for unit in cells.units:
        cell = cells.cell(loud, unit)
        known = _SOURCE_SIZES.get(cells.machine, {})
        least = sum(known[unit][1:]) - known[unit][2] // 2 if unit in known else 0
        fits = bool(least) and len(cell.normal) >= least and len(cell.abnormal) >= known[unit][2] // 2
        if fits:
            sizes[unit] = known[unit]
    if not sizes:
        sizes = {unit: _sizes_by_share(cells.cell(loud, unit)) for unit in cells.units}
    splits = []
    for snr_db in cells.snrs:
        for unit, (_, learned, tested) in sizes.items():
            cell = cells.cell(snr_db, unit)
            abnormal = tested // 2
            normal = cell.normal[learned : learned + tested - abnormal]
            splits.append(Split(unit, snr_db, cell.normal[:learned], normal, cell.abnormal[:abnormal]))
    reference = [cells.cell(loud, unit).normal for unit in sizes]
    first = [rows[: sizes[unit][0]] for unit, rows in zip(sizes, reference, strict=True)]
    return Plan(np.concatenate(reference), np.concatenate(first), tuple(splits))


def _sizes_by_share(cell: FeatureCell) -> tuple[int, int, int]:
    learned = int(_DETECTOR_SHARE * len(cell.normal))
    half = min(len(cell.normal) - learned, len(cell.abnormal))
    _check(cell, learned, half)
    return max(int(_DENOISER_SHARE * len(cell.normal)), 2), learned, 2 * half


def _clean(cells: FeatureCells) -> Plan:
    loud = max(cells.snrs)
    splits = []
    for snr_db in cells.snrs:
        for unit in cells.units:
            cell = cells.cell(snr_db, unit)
            tested = min(len(cell.abnormal), len(cell.normal) // 2)
            _check(cell, len(cell.normal) - tested, tested)
            splits.append(Split(unit, snr_db, cell.normal[tested:], cell.normal[:tested], cell.abnormal))
    learned = np.concatenate([split.train for split in splits if split.snr_db == loud])
    return Plan(learned, learned, tuple(splits))


def _check(cell: FeatureCell, learned: int, tested: int) -> None:
    if learned < _LEAST or tested < 1:
        raise WrongLayout(
            f"{cell.unit} at {cell.snr_db:g} dB has {len(cell.normal)} normal and {len(cell.abnormal)} abnormal clips,"
            f" {learned} of them to learn from; at least {_LEAST} are needed: add recordings"
        )


_LEAST = 4
