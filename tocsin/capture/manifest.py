"""The request and the manifest of a capture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import UnreadableInput
from tocsin.capture.clip import LabelledClip

MANIFEST = "manifest.json"


class CaptureRequest(BaseModel):
    """What to capture. All runs into one folder must have the same request.

    Attributes:
        devices: ids or patterns.
        since, until: as given.
        clip_ms: length of a clip.
        guard_ms: time left out before and after an alert.
        device_minutes: maximum per device and label.
        max_bytes: maximum of all files together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: tuple[str, ...]
    since: str
    until: str | None
    clip_ms: int
    guard_ms: int
    device_minutes: float
    max_bytes: int


class CapturedClip(LabelledClip):
    """A clip in the folder.

    Attributes:
        file: its path below the folder, with forward slashes.
        captured: capture time of its first sample, RFC 3339.
        sha256: of the file, hexadecimal.
        size: of the file, bytes.
    """

    file: str
    captured: str
    sha256: str
    size: int


class LeftOut(BaseModel):
    """Numbers of clips that are not in the folder, by reason.

    Attributes:
        near_alerts: during or near an alert without feedback, or near a real one.
        beyond_bounds: not selected, because the capture is bounded.
        expired: selected, but dropped by the topic before they were read.
    """

    model_config = ConfigDict(frozen=True)

    near_alerts: int = 0
    beyond_bounds: int = 0
    expired: int = 0


class CaptureManifest(BaseModel):
    """A complete capture.

    Attributes:
        topic: source of the sound.
        request: what was captured.
        since_ms, until_ms: the time span, by the broker's clock, milliseconds since 1970.
        clips: in the order of devices and capture times.
        left_out: see :class:`LeftOut`.
    """

    model_config = ConfigDict(frozen=True)

    manifest_version: Literal[1] = 1
    topic: str
    request: CaptureRequest
    since_ms: int
    until_ms: int
    clips: tuple[CapturedClip, ...]
    left_out: LeftOut

    @classmethod
    def load(cls, folder: Path) -> CaptureManifest | None:
        """The manifest of a folder; None if it has none.

        Raises:
            UnreadableInput: the file cannot be read.
        """
        path = folder / MANIFEST
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise UnreadableInput(f"{path} is not a manifest of a capture: {str(error).splitlines()[0]}") from None

    def to_bytes(self) -> bytes:
        """As stored: JSON, one field per line."""
        return (json.dumps(self.model_dump(mode="json"), indent=1) + "\n").encode()
