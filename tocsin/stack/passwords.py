"""Passwords of the local stack: generated once, each in a file that its owner alone can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def password_in(path: Path) -> str:
    """The password in a file, generated at first.

    Raises:
        OSError: the file cannot be written or read.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="ascii")


def write_private(path: Path, text: str) -> None:
    """Writes a file atomically that no other account can read (0600).

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
