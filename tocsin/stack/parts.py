"""Components of the stack: Java, Kafka's jars and Redis, found or fetched."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tocsin.stack.install_lock import Progress
from tocsin.stack.jars import Jars
from tocsin.stack.programs import Program, find_java, find_redis


@dataclass(frozen=True, slots=True)
class Components:
    """The components on this machine.

    Attributes:
        folder: of fetched components, absolute.
        java: the Java that runs Kafka.
        jars: Kafka itself.
        redis: redis-server or valkey-server.
    """

    folder: Path
    java: Program
    jars: Jars
    redis: Program


def components_folder(parts: Path | None = None) -> Path:
    """The folder given, else the virtual environment's own, else one in the user's cache; absolute, may not exist."""
    if parts is not None:
        return parts.absolute()
    if sys.prefix != sys.base_prefix:
        return Path(sys.prefix, "share", "tocsin", "parts")
    if sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "tocsin" / "parts"


def fetch_components(parts_dir: Path | None, progress: Progress) -> Components:
    """Find Java and Redis; fetch into ``parts_dir`` Kafka's jars, and Redis where none is found.

    Later starts need no network. None for ``parts_dir`` is the default folder.

    Raises:
        ComponentMissing: Java, Kafka or Redis is not to be had; the message says what to install.
        OutputError: the folder cannot be written.
        StackBusy: another install has held the folder for ten minutes.
    """
    folder = components_folder(parts_dir)
    java, redis = find_java(), find_redis(folder, progress)
    jars = Jars(folder)
    jars.install(progress)
    return Components(folder, java, jars, redis)
