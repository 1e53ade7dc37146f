"""Sensor recordings as sources: acceleration and other values, scaled to PCM with a known full scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from producers.pcm import Block, full_scale_for, to_block
from producers.session import DEFAULT_CHUNK_SECONDS, chunk_samples
from producers.sources.table import DEFAULT_COLUMN, read_table
from schemas.errors import EmptyAudio, InputError, SettingsError

_BLOCK_SAMPLES = 65_536
_MAX_UNIT = 32


@dataclass(frozen=True, slots=True)
class SensorRecording:
    """One sensor's values and their scaling.

    Attributes:
        path: of the file.
        values: float (n, channels), finite.
        sample_rate: Hz.
        unit: of the values.
        full_scale: the value of the largest PCM step, > 0.
    """

    path: Path
    values: npt.NDArray[np.floating]
    sample_rate: int
    unit: str
    full_scale: float

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def channels(self) -> int:
        return int(self.values.shape[1])

    @property
    def n_samples(self) -> int:
        return len(self.values)

    def blocks(self) -> Iterator[Block]:
        """The values in PCM steps, int16 (n, channels), at most 65,536 samples a block."""
        for at in range(0, len(self.values), _BLOCK_SAMPLES):
            yield to_block(self.values[at : at + _BLOCK_SAMPLES], full_scale=self.full_scale, at=at)


@dataclass(frozen=True, slots=True)
class SensorOptions:
    """Options that the file does not state, or that override it.

    Attributes:
        column: name or number; None is the only one, or ``acceleration_g``.
        sample_rate: Hz; None is the file's.
        unit: of the values; None is ``g`` for ``acceleration_g``, else ``unitless``.
        full_scale: in ``unit``, > 0; None is the power of two above the peak.
    """

    column: str | None = None
    sample_rate: int | None = None
    unit: str | None = None
    full_scale: float | None = None


def read_sensor(path: Path, options: SensorOptions) -> SensorRecording:
    """Reads a sensor file.

    Raises:
        InputError: it cannot be used; the class names the reason.
        SettingsError: an option is out of range.
    """
    table = read_table(path, options.column, timed=options.sample_rate is None)
    rate = options.sample_rate or table.sample_rate
    if rate is None:
        raise InputError(f"{path} does not state its sample rate: give --rate in Hz")
    try:
        chunk_samples(rate, table.values.shape[1], DEFAULT_CHUNK_SECONDS)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    finite = np.isfinite(table.values)
    if not finite.all():
        row, channel = (int(index) for index in np.argwhere(~finite)[0])
        raise EmptyAudio(f"{path}: row {row} of {table.column!r} is {table.values[row, channel]}: cut or repair it")
    unit = options.unit or ("g" if table.column == DEFAULT_COLUMN else "unitless")
    if len(unit) > _MAX_UNIT:
        raise SettingsError(f"--unit {unit!r} is {len(unit)} characters long; the maximum is {_MAX_UNIT}")
    full_scale = options.full_scale
    if full_scale is None:
        full_scale = full_scale_for(max(float(table.values.max()), -float(table.values.min())))
    if not (math.isfinite(full_scale) and full_scale > 0):
        raise SettingsError(f"--full-scale {full_scale!r}; choose a number above 0, in {unit}")
    return SensorRecording(path, table.values, rate, unit, full_scale)


def on_one_scale(recordings: Sequence[SensorRecording]) -> list[SensorRecording]:
    """The recordings of one device, scaled to the largest full scale among them, which the manifest states."""
    largest = max(recording.full_scale for recording in recordings)
    return [replace(recording, full_scale=largest) for recording in recordings]
