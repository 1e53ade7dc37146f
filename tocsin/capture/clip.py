"""A clip: a fixed interval of one session, and its offsets on the audio topic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.device import Name

Label = Literal["normal", "abnormal"]
HOUR_NS = 3_600_000_000_000
_ENCODING_SHARE, _ENCODING_BYTES = 1.01, 1_024
"""Upper bound of what FLAC adds to incompressible sound; measured on white noise: 0.6 % and 118 bytes."""


class Clip(BaseModel):
    """An interval on the session's grid: clip k holds samples k * n_samples to (k + 1) * n_samples - 1.

    Attributes:
        device_id, session_id: of the sound.
        first_sample: session index of its first sample.
        n_samples: its length, samples per channel.
        sample_rate, channels: of the session.
        captured_ns: capture time of its first sample, nanoseconds since 1970, by the device's clock.
        partition: of the audio topic.
        first_offset, last_offset: of the records that contain it, both included.
    """

    model_config = ConfigDict(frozen=True)

    device_id: Name
    session_id: Name
    first_sample: int
    n_samples: int
    sample_rate: int
    channels: int
    captured_ns: int
    partition: int
    first_offset: int
    last_offset: int

    @property
    def key(self) -> tuple[str, str, int]:
        """Identity of the clip: device, session and first sample."""
        return self.device_id, self.session_id, self.first_sample

    @property
    def seconds(self) -> float:
        """Its length, s."""
        return self.n_samples / self.sample_rate

    @property
    def end_ns(self) -> int:
        """Capture time of the first sample after it."""
        return self.captured_ns + self.n_samples * 1_000_000_000 // self.sample_rate

    @property
    def hour(self) -> int:
        """The hour it was captured in, counted from 1970, UTC."""
        return self.captured_ns // HOUR_NS

    @property
    def max_bytes(self) -> int:
        """Upper bound of the size of its file."""
        return int(2 * self.n_samples * self.channels * _ENCODING_SHARE) + _ENCODING_BYTES

    def name(self) -> str:
        """Name of its file without suffix: the session and the capture time."""
        when = datetime.fromtimestamp(self.captured_ns // 1_000_000_000, UTC)
        return f"{self.session_id}_{when:%Y%m%d-%H%M%S}"


class LabelledClip(BaseModel):
    """A clip, its label, and the alerts behind the label.

    Attributes:
        clip: the clip.
        label: ``normal`` or ``abnormal``.
        hard_negative: normal sound that raised an alert marked as a false alarm.
        alerts: ids of the alerts with feedback that it lies in.
    """

    model_config = ConfigDict(frozen=True)

    clip: Clip
    label: Label
    hard_negative: bool = False
    alerts: tuple[str, ...] = ()
