"""What a capture's folder says of itself: the request while it is made, the manifest when it is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import UnreadableInput
from tocsin.capture.clip import LabelledClip

MANIFEST = "manifest.json"


class CaptureRequest(BaseModel):
    """What was asked for. Two runs into one folder must ask for the same.

    Attributes:
        devices: patterns.
        since, until: as they were given.
        clip_ms: length of a clip.
        guard_ms: how much is left out before and after an alert.
        device_minutes: of each device and label, at most.
        max_bytes: of all files together, at most.
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
    """Clips that are not in the folder, by why.

    Attributes:
        near_alerts: inside or near an alert that nobody called false.
        beyond_bounds: not chosen, for the capture is bounded.
        expired: chosen, but the topic dropped them before they were read.
    """

    model_config = ConfigDict(frozen=True)

    near_alerts: int = 0
    beyond_bounds: int = 0
    expired: int = 0


class CaptureManifest(BaseModel):
    """A whole capture.

    Attributes:
        topic: where the sound came from.
        request: what was asked for.
        since_ms, until_ms: which time that meant, by the broker's clock, milliseconds since 1970.
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
        """The manifest of a folder; None where it has none.

        Raises:
            UnreadableInput: it cannot be read.
        """
        path = folder / MANIFEST
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise UnreadableInput(f"{path} is no manifest of a capture: {str(error).splitlines()[0]}") from None

    def to_bytes(self) -> bytes:
        """As it is written: JSON, one field a line."""
        return (json.dumps(self.model_dump(mode="json"), indent=1) + "\n").encode()
