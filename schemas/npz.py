"""Arrays of an npz archive, bounded by what the archive holds: a header may claim any size."""

from __future__ import annotations

import math
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

SUFFIX = ".npy"
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def array_names(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays in an archive."""
    return [name.removesuffix(SUFFIX) for name in archive.namelist() if name.endswith(SUFFIX)]


def read_array(archive: zipfile.ZipFile, name: str, most: int) -> npt.NDArray[Any]:
    """One array of an archive; nothing is allocated for what the archive does not hold.

    Args:
        archive: open.
        name: of the array, one of :func:`array_names`.
        most: bound on its size, bytes.

    Raises:
        ValueError: it is no array of plain numbers, holds other than its header claims, or is larger than ``most``.
        zipfile.BadZipFile, EOFError: the archive is damaged.
    """
    with archive.open(name + SUFFIX) as member:
        version = np.lib.format.read_magic(member)
        if version not in _READERS:
            raise ValueError(f"{name!r} is in version {version} of the format; 1.0 and 2.0 are read")
        shape, fortran_order, dtype = _READERS[version](member)
        if dtype.hasobject:
            raise ValueError(f"{name!r} holds Python objects; numbers are read")
        size = math.prod(shape) * dtype.itemsize
        if size > most:
            raise ValueError(f"{name!r} is {size} bytes, of shape {shape}; at most {most} are read")
        data = member.read(size + 1)
    if len(data) != size:
        held = f"{len(data)} bytes" if len(data) < size else "more"
        raise ValueError(f"{name!r} holds {held}, its header claims {size}")
    flat = np.frombuffer(bytearray(data), dtype=dtype)
    return flat.reshape(shape, order="F" if fortran_order else "C")
