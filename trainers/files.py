"""Files written atomically."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from schemas.errors import OutputError

_SPACE = "free some disk space or choose another folder"
_ADVICE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: "give yourself permission or choose another folder",
}


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a temporary file and renames it, so that no reader sees a partial file.

    Raises:
        OutputError: the folder cannot be written; the previous file is unchanged.
    """
    write_all_atomically({path: data})


def write_all_atomically(files: Mapping[Path, bytes]) -> None:
    """Writes files that belong together: none is renamed before all are completely on disk.

    Args:
        files: contents by path; folders are created as needed.

    Raises:
        OutputError: one cannot be written; all previous files are unchanged.
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
            # A file that could not be created cannot be removed either.
            with suppress(OSError):
                part.unlink(missing_ok=True)
        advice = _ADVICE.get(error.errno or 0, "choose another folder")
        raise OutputError(f"{path} cannot be written: {error.strerror}: {advice}") from None
