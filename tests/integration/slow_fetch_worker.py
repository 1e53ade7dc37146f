"""A worker in which the download of one model stalls.

The environment names the model's digest, and a file that says that the fetch has begun.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import IO, Any

from processors.adapters.models import artefact_store
from tocsin.cli.main import main

DIGEST = "SLOW_FETCH_DIGEST"
MARK = "SLOW_FETCH_MARK"


class Stopping:
    """Gives the first bytes of a file, and then nothing."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._reads = 0

    def __enter__(self) -> Stopping:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, count: int) -> bytes:
        self._reads += 1
        if self._reads > 1:
            Path(os.environ[MARK]).touch()
            threading.Event().wait()
        return self._file.read(min(count, 1_000))


def stopping(path: Path) -> Any:
    opened = open_plain(path)
    store = path.parent.name == "store"
    return Stopping(opened) if store and path.stem == os.environ[DIGEST] else opened


open_plain = artefact_store.open_plain

if __name__ == "__main__":
    artefact_store.open_plain = stopping
    main()
