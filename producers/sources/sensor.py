"""Sensor recordings as sources: acceleration and the like, scaled to PCM with the full scale kept."""

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
    """One sensor's values and how they are scaled.

    Attributes:
        path: where they came from.
        values: float (n, channels), finite.
        sample_rate: Hz.
        unit: what the values measure.
        full_scale: the value the largest PCM step stands for, > 0.
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
    """What the file does not say, or says otherwise.

    Attributes:
        column: which one.
        sample_rate: Hz; None takes the file's.
        unit: of the values; None is ``g`` for ``acceleration_g``, else ``unitless``.
        full_scale: in ``unit``, > 0; None takes the power of two above the peak.
    """

    column: str | None = None
    sample_rate: int | None = None
    unit: str | None = None
    full_scale: float | None = None


def read_sensor(path: Path, options: SensorOptions) -> SensorRecording:
    """One sensor file.

    Raises:
        InputError: it cannot be used; the class names how.
        SettingsError: an option is out of range.
    """
    table = read_table(path, options.column, timed=options.sample_rate is None)
    rate = options.sample_rate or table.sample_rate
    if rate is None:
        raise InputError(f"{path} does not say its sample rate: give --rate in Hz")
    try:
        chunk_samples(rate, table.values.shape[1], DEFAULT_CHUNK_SECONDS)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    finite = np.isfinite(table.values)
    if not finite.all():
        row, channel = (int(index) for index in np.argwhere(~finite)[0])
        raise EmptyAudio(f"{path}: row {row} of {table.column!r} is {table.values[row, channel]}: cut or mend it")
    unit = options.unit or ("g" if table.column == DEFAULT_COLUMN else "unitless")
    if len(unit) > _MAX_UNIT:
        raise SettingsError(f"--unit {unit!r} is {len(unit)} characters long; at most {_MAX_UNIT} are kept")
    full_scale = options.full_scale
    if full_scale is None:
        full_scale = full_scale_for(max(float(table.values.max()), -float(table.values.min())))
    if not (math.isfinite(full_scale) and full_scale > 0):
        raise SettingsError(f"--full-scale {full_scale!r}; choose a number above 0, in {unit}")
    return SensorRecording(path, table.values, rate, unit, full_scale)


def on_one_scale(recordings: Sequence[SensorRecording]) -> list[SensorRecording]:
    """The recordings of one device, all on the largest full scale among them, which its manifest then states."""
    largest = max(recording.full_scale for recording in recordings)
    return [replace(recording, full_scale=largest) for recording in recordings]
