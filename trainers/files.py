"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import OutputError


def write_whole(path: Path, data: bytes) -> None:
    """Writes beside the file, then takes its place, so that no reader ever meets half of it.

    Raises:
        OutputError: the folder cannot be written; what stood there before still stands.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
