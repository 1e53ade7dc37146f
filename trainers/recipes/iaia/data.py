"""Clip features of machines at signal-to-noise ratios, from an archive or from recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import SettingsError, UnusableAudio, WrongLayout
from schemas.features import FeatureSpec
from trainers.data.loaders.archive import FeatureCell, load_archive
from trainers.data.loaders.clip import Clip, digest_of
from trainers.data.loaders.mimii import load_mimii
from trainers.features.mfcc import SAMPLE_RATE, WIDTH, clip_features
from trainers.progress import track

Float32 = npt.NDArray[np.float32]

ROW = 160
_MAX_SECONDS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class FeatureCells:
    """Features of all machines of one type.

    Attributes:
        machine: its type.
        cells: features of one machine at one SNR each, high SNR first.
        spec: windows of samples as long as a clip; None for an archive of features, which has no sound.
        clips: the recordings; empty for an archive.
        digests: sha256 of the files.
    """

    machine: str
    cells: tuple[FeatureCell, ...]
    spec: FeatureSpec | None
    clips: tuple[Clip, ...]
    digests: tuple[str, ...]

    @property
    def snrs(self) -> list[float]:
        """Signal-to-noise ratios, dB, from high to low."""
        return sorted({cell.snr_db for cell in self.cells}, reverse=True)

    @property
    def units(self) -> list[str]:
        """Machines, in order."""
        return sorted({cell.unit for cell in self.cells})

    def cell(self, snr_db: float, unit: str) -> FeatureCell:
        """One machine at one SNR.

        Raises:
            SettingsError: there is no such machine or SNR.
        """
        for one in self.cells:
            if (one.snr_db, one.unit) == (snr_db, unit):
                return one
        raise SettingsError(
            f"no {unit!r} at {snr_db:g} dB; there are {', '.join(self.units)} at"
            f" {', '.join(f'{snr:g}' for snr in self.snrs)} dB"
        )

    def recordings(self, snr_db: float, unit: str) -> list[tuple[Clip, Float32]]:
        """Recordings of one machine at one SNR, normal ones first, each with its row of features, float32 (136,).

        Empty for an archive of features.
        """
        if not self.clips:
            return []
        clips = [clip for clip in self.clips if (clip.unit, clip.snr_db or 0.0) == (unit, snr_db)]
        cell = self.cell(snr_db, unit)
        return [
            pair
            for label, rows in (("normal", cell.normal), ("abnormal", cell.abnormal))
            for pair in zip([clip for clip in clips if clip.label == label], rows, strict=True)
        ]


def load_cells(data: Path, machine: str, *, density: bool) -> FeatureCells:
    """Features from an ``.npz`` archive, or from recordings in a MIMII layout.

    Args:
        data: an archive, a folder that holds ``<machine>.npz``, or one of recordings.
        machine: type of machine; empty selects the only one there is.
        density: see :func:`trainers.features.mfcc.clip_features`.

    Raises:
        InputError: it is not one of these, or its content cannot be used.
        SettingsError: there is no such machine, or several and none is selected.
    """
    archives = [data] if data.suffix == ".npz" else sorted(data.glob("*.npz")) if data.is_dir() else []
    if archives:
        return _from_archive({path.stem: path for path in archives}, machine)
    return _from_recordings(load_mimii(data), machine, density=density)


def _from_archive(archives: dict[str, Path], machine: str) -> FeatureCells:
    selected = _select_machine(list(archives), machine)
    path = archives[selected]
    cells = load_archive(path)
    if cells[0].normal.shape[1] != WIDTH:
        raise WrongLayout(f"{path}: rows of {cells[0].normal.shape[1]} features; {WIDTH} are needed")
    return FeatureCells(selected, tuple(cells), None, (), (hashlib.sha256(path.read_bytes()).hexdigest(),))


def _from_recordings(clips: Sequence[Clip], machine: str, *, density: bool) -> FeatureCells:
    selected = _select_machine(sorted({clip.machine for clip in clips}), machine)
    machine_clips = [clip for clip in clips if clip.machine == selected]
    spec = _spec_of(machine_clips)
    rows: dict[tuple[float, str, str], list[Float32]] = {}
    for clip in track(machine_clips, "reading clips"):
        samples = clip.samples(SAMPLE_RATE)[: spec.window_samples]
        key = (clip.snr_db or 0.0, clip.unit, clip.label)
        rows.setdefault(key, []).append(clip_features(samples, density=density))
    cells = []
    for snr_db, unit in sorted({key[:2] for key in rows}, key=lambda one: (-one[0], one[1])):
        normal, abnormal = rows.get((snr_db, unit, "normal"), []), rows.get((snr_db, unit, "abnormal"), [])
        if not normal or not abnormal:
            raise WrongLayout(
                f"{selected}/{unit} at {snr_db:g} dB: {len(normal)} normal and {len(abnormal)} abnormal clips; both are"
                " needed, to train and to measure with"
            )
        cells.append(FeatureCell(unit, snr_db, np.stack(normal), np.stack(abnormal)))
    return FeatureCells(selected, tuple(cells), spec, tuple(machine_clips), tuple(digest_of(machine_clips)))


def _spec_of(clips: Sequence[Clip]) -> FeatureSpec:
    """Windows as long as the shortest clip, 10 s at most, end to end."""
    shortest = min(clips, key=lambda clip: clip.length / clip.sample_rate)
    seconds = min(shortest.length / shortest.sample_rate, _MAX_SECONDS)
    rows = int(seconds * SAMPLE_RATE) // ROW
    if rows * ROW < SAMPLE_RATE:
        raise UnusableAudio(
            f"{shortest.path} lasts {seconds:.2f} s; clips of at least one second are needed: remove it"
        )
    return FeatureSpec(
        transform="waveform", level="none", n_fft=ROW, win_length=ROW, hop=ROW, n_frames=rows, window_hop=rows
    )


def _select_machine(machines: list[str], machine: str) -> str:
    if not machine and len(machines) == 1:
        return machines[0]
    if machine not in machines:
        raise SettingsError(f"machine {machine!r}: select one with --set machine=..., of {', '.join(machines)}")
    return machine
