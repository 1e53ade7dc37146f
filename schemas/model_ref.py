"""Which model scored."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.bounds import Label


class ModelRef(BaseModel):
    """Which model scored.

    Attributes:
        name: the model's id.
        version: its version.
        sha256: digest of the artefact.
    """

    model_config = ConfigDict(frozen=True)

    name: Label
    version: Label
    sha256: Label
