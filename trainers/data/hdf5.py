"""Reading arrays of an HDF5 file from anywhere: of this file alone, and by this library's own code."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

_BUILT_IN = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
"""Filters of the library itself. Others would be loaded as plugins: code from wherever HDF5_PLUGIN_PATH points to."""


def plain_array(file: h5py.File, *path: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """The numbers of a data set.

    Args:
        file: open.
        path: names of the groups, and of the data set.
        shape: that it must have; nothing is read before that is known.

    Returns:
        float32 of that shape.

    Raises:
        KeyError: there is no such name, or no numbers under it.
        ValueError: the data are elsewhere (an external link, external storage, a virtual data set), need a plugin, or
            have another shape.
    """
    found: Any = file
    for name in path:
        if not isinstance(found, h5py.Group):
            raise KeyError(f"{name!r} is in no group")
        link = found.get(name, getlink=True)
        if link is None:
            raise KeyError(f"it has no {'/'.join(path)!r}")
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name!r} is a link to elsewhere, which is not followed")  # noqa: TRY004 - of the file
        found = found[name]
    where = "/".join(path)
    if getattr(found, "dtype", np.dtype("O")).kind not in "fiu":
        raise KeyError(f"{where!r} holds no numbers")
    if found.is_virtual or found.external:
        raise ValueError(f"{where!r} keeps its data in another file, which is not read")
    if found.shape != shape:
        raise ValueError(f"{where!r} is {found.shape}, not {shape}: another network")
    settings = found.id.get_create_plist()
    filters = {settings.get_filter(number)[0] for number in range(settings.get_nfilters())}
    if not filters <= _BUILT_IN:
        raise ValueError(f"{where!r} needs a plugin of HDF5 to be read, which is not loaded")
    return np.asarray(found, dtype=np.float32)
