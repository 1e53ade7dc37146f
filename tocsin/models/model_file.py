"""Checks of a user-supplied model file."""

from __future__ import annotations

from pathlib import Path

from processors.adapters.models.check.artefact import CheckReport, examine
from schemas.errors import ModelRefused


def examine_file(path: Path) -> CheckReport:
    """As :func:`processors.adapters.models.check.artefact.examine`, without an announcement; errors name the file.

    Raises:
        UnreadableInput: the file does not exist.
        ModelRefused: the class names the reason.
    """
    try:
        return examine(path, None)
    except ModelRefused as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from None
