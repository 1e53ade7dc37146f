"""A model file that a person has named."""

from __future__ import annotations

from pathlib import Path

from processors.adapters.models.check.artefact import CheckReport, examine
from schemas.errors import ModelRefused


def examine_given(path: Path) -> CheckReport:
    """As :func:`processors.adapters.models.check.artefact.examine` without an announcement; a refusal names the file.

    Raises:
        UnreadableInput: there is no such file.
        ModelRefused: the class names why.
    """
    try:
        return examine(path, None)
    except ModelRefused as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from None
