"""Tables of sensor values: NumPy archives and CSV files of limited size."""

from __future__ import annotations

import csv
import math
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import EmptyAudio, InputError, NotAudio, UnreadableInput
from schemas.npz import SUFFIX, array_names, read_array

MAX_BYTES = 256 * 1024 * 1024
"""Maximum size of a file or unpacked array: 46 minutes of float64 at 12 kHz."""

DEFAULT_COLUMN = "acceleration_g"
RATE_KEY = "sample_rate_hz"

_TIME_NAMES = frozenset({"time", "t", "time_s", "time [s]", "time (s)", "seconds", "timestamp"})
_STEP_TOLERANCE = 0.01
"""Maximum relative deviation of a step of the time column from the mean step."""


@dataclass(frozen=True, slots=True)
class Waveform:
    """One sensor's values.

    Attributes:
        column: its name.
        values: float (n, channels), n >= 1; may contain non-finite values.
        sample_rate: Hz according to the file; None if it does not state it.
    """

    column: str
    values: npt.NDArray[np.floating]
    sample_rate: int | None


def read_table(path: Path, column: str | None = None, *, timed: bool = True) -> Waveform:
    """Reads one waveform from an ``.npz`` archive, or with any other suffix from a CSV file.

    Args:
        path: the file.
        column: an archive's array, or a CSV's column by its name or its number from 1; None if only one
            can be meant.
        timed: whether the sample rate comes from a time column, which must be evenly spaced.

    Raises:
        UnreadableInput: it does not exist or cannot be read.
        NotAudio: it is not such a file, or the column is not numeric.
        EmptyAudio: it has no rows.
        InputError: it is too large, or the column is missing or ambiguous.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise UnreadableInput(f"{path} is a folder: name the files in it")
        if size == 0:
            raise EmptyAudio(f"{path} is empty: record it again or leave it out")
        if size > MAX_BYTES:
            raise InputError(f"{path} is {size} bytes; at most {MAX_BYTES} are read: split it")
        return _read_npz(path, column) if path.suffix.lower() == ".npz" else _read_csv(path, column, timed)
    except OSError as error:
        raise UnreadableInput.of(path, error) from None


def _read_npz(path: Path, column: str | None) -> Waveform:
    try:
        with zipfile.ZipFile(path) as archive:
            # A small archive may contain a large array: sizes are checked before anything is unpacked.
            sizes = {name: archive.getinfo(name + SUFFIX).file_size for name in array_names(archive)}
            name = _choose(path, column, [key for key in sizes if key != RATE_KEY])
            for key in {name, RATE_KEY} & sizes.keys():
                if sizes[key] > MAX_BYTES:
                    raise InputError(f"{path}: {key!r} is {sizes[key]} bytes; at most {MAX_BYTES} are read: split it")
            values = read_array(archive, name, MAX_BYTES)
            rate = read_array(archive, RATE_KEY, MAX_BYTES) if RATE_KEY in sizes else None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise NotAudio(f"{path} is not a NumPy archive of plain arrays ({error}): save it with numpy.savez") from None
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2):
        raise NotAudio(
            f"{path}: {name!r} is {values.dtype} {values.shape}; numbers of shape (n,) or (n, channels) are read"
        )
    if values.size == 0:
        raise EmptyAudio(f"{path}: {name!r} holds no samples")
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    return Waveform(name, values.reshape(len(values), -1), _rate(path, rate))


def _rate(path: Path, rate: npt.NDArray[np.generic] | None) -> int | None:
    if rate is None:
        return None
    if rate.size != 1 or rate.dtype.kind not in "fiu" or not float(rate.item()).is_integer():
        raise NotAudio(f"{path}: {RATE_KEY} is {rate!r}, not one whole number of Hz")
    return int(rate.item())


def _choose(path: Path, column: str | None, names: Sequence[str]) -> str:
    if column is not None:
        if column in names:
            return column
        if column.isascii() and column.isdigit() and 1 <= int(column) <= len(names):
            return names[int(column) - 1]
        raise InputError(f"{path} has no column {column!r}; it has {', '.join(map(repr, names))}")
    if DEFAULT_COLUMN in names:
        return DEFAULT_COLUMN
    if len(names) != 1:
        raise InputError(f"{path} has {', '.join(map(repr, names)) or 'no column'}: choose one with --column")
    return names[0]


def _read_csv(path: Path, column: str | None, timed: bool) -> Waveform:
    delimiter, names = _read_header(path)
    skip = 0 if names is None else 1
    try:
        # Opened here: NumPy would unpack a .gz file without a size limit.
        with path.open(encoding="utf-8-sig") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty table is refused below
            # comments=None: CSV has no comments, and NumPy would silently skip the text after '#'.
            table = np.loadtxt(file, delimiter=delimiter, skiprows=skip, ndmin=2, comments=None)
    except ValueError as error:
        raise NotAudio(f"{path} is not a table of numbers ({error}): use at most one header line") from None
    if table.size == 0:
        raise EmptyAudio(f"{path} holds no rows below its header")
    if names is None:
        names = [str(number) for number in range(1, table.shape[1] + 1)]
    if len(names) != table.shape[1]:
        raise NotAudio(f"{path}: {len(names)} names in the header, {table.shape[1]} columns below it")
    time = next((i for i, name in enumerate(names) if name.strip().lower() in _TIME_NAMES), None)
    rate = _rate_of_times(path, table[:, time]) if timed and time is not None else None
    candidates = [name for i, name in enumerate(names) if i != time]
    if column is not None and column.isascii() and column.isdigit() and column not in names:
        candidates = names  # a number counts all columns, the time column included
    name = _choose(path, column, candidates)
    chosen = names.index(name)
    return Waveform(name, np.ascontiguousarray(table[:, chosen : chosen + 1]), rate)


def _read_header(path: Path) -> tuple[str | None, list[str] | None]:
    """A CSV's delimiter (None is white space) and its column names, None without a header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline(65_536)
    except UnicodeDecodeError as error:
        raise NotAudio(f"{path} is not text ({error.reason} at byte {error.start})") from None
    if not line.strip():
        raise EmptyAudio(f"{path} begins with an empty line: begin it with a header or a row of numbers")
    delimiter = next((mark for mark in (";", "\t", ",") if mark in line), None)
    cells = line.split() if delimiter is None else next(csv.reader([line], delimiter=delimiter))
    return delimiter, (None if all(_is_number(cell) for cell in cells) else [cell.strip() for cell in cells])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rate_of_times(path: Path, times: npt.NDArray[np.floating]) -> int | None:
    """Sample rate in Hz of an evenly spaced time column in seconds; None for fewer than two rows."""
    if len(times) < 2:
        return None
    steps = np.diff(times)
    mean = float((times[-1] - times[0]) / len(steps))
    if not (math.isfinite(mean) and mean > 0):
        raise InputError(f"{path}: its time column goes from {times[0]} to {times[-1]}: give --rate")
    worst = int(np.argmax(np.abs(steps - mean)))
    if not abs(steps[worst] - mean) <= _STEP_TOLERANCE * mean:
        raise InputError(
            f"{path}: its time column steps by {steps[worst]:.6g} s at row {worst + 1}, by {mean:.6g} s on average:"
            " resample it evenly, or give --rate to ignore the times"
        )
    return round(1 / mean)
