"""Provenance of a model: digest of its training data and revision of the trainer."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGE = "tocsin"


def training_digest(digests: Iterable[str], seed: int) -> str:
    """sha256 over the files' sorted digests and the seed of the synthetic sound, hexadecimal."""
    lines = [*sorted(digests), f"synthesis {seed}"]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def code_revision() -> str:
    """The git commit of the source tree, if this runs from one; else the package's version."""
    # Not a repository that happens to surround an installed package.
    root = Path(__file__).resolve().parents[2]
    if (root / ".git").exists():
        try:
            done = subprocess.run(
                ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return _installed_version()
        return done.stdout.strip()
    return _installed_version()


def _installed_version() -> str:
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return "unknown"
