"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from schemas.errors import OutputError

_SPACE = "free some disk space or choose another folder"
_TO_DO = {errno.ENOSPC: _SPACE, errno.EDQUOT: _SPACE, errno.EACCES: "give yourself permission or choose another folder"}


def write_whole(path: Path, data: bytes) -> None:
    """Writes beside the file, then takes its place, so that no reader ever meets half of it.

    Raises:
        OutputError: the folder cannot be written; what stood there before still stands.
    """
    write_together({path: data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes files that belong together: no name is taken before all of them are whole on the disk.

    Args:
        files: contents by path; folders are made if need be.

    Raises:
        OutputError: one cannot be written; what stood there before still stands, all of it.
    """
    parts = {path: path.with_name(f".{path.name}.part") for path in files}
    path = next(iter(files))
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with parts[path].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        for part in parts.values():
            # What could not be made cannot be removed either.
            with suppress(OSError):
                part.unlink(missing_ok=True)
        to_do = _TO_DO.get(error.errno or 0, "choose another folder")
        raise OutputError(f"{path} cannot be written: {error.strerror}: {to_do}") from None
