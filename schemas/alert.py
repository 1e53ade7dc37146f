"""An alert: opened, updated, closed; one record a revision."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.bounds import Count, Label, Line, Rate
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event
from schemas.model_ref import ModelRef
from schemas.record import Record
from schemas.threshold_state import ThresholdState

AlertState = Literal["opened", "updated", "closed"]
Severity = Literal["warning", "critical"]
AlertKind = Literal["peak", "level"]
CloseReason = Literal["", "no_sound"]
_MAX_BANDS = 16


class Band(BaseModel):
    """One mel band that explains the score.

    Attributes:
        hz_low, hz_high: the band's edges, Hz.
        excess: how much of the window's score lies in this band, as a share from 0 to 1.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    hz_low: float
    hz_high: float
    excess: float


class AudioSpan(BaseModel):
    """Position of the sound on its topic.

    Attributes:
        topic, partition: of the audio.
        first_offset, last_offset: records that hold the window behind this revision, inclusive.
    """

    model_config = ConfigDict(frozen=True)

    topic: Label
    partition: Count
    first_offset: Count
    last_offset: Count


class Alert(Event):
    """One revision of an alert.

    Attributes:
        alert_id: derived from device, detector, session and the opening window's first sample.
        dedup_key: ``device_id/detector``: at most one alert is open under it.
        state: ``opened``, ``updated`` or ``closed``.
        revision: 0 when opened, then 1, 2, ...
        severity: ``critical`` once a confirmed score (the m-th largest of the last n, not a single one) lies at least
            twice as far above the device's usual score as the threshold does, or the level of a minute reaches twice
            its own threshold; else ``warning``. It never falls while the alert is open. Where the usual score lies
            above a model's fixed threshold, as "this is normal" may leave it, every alert is ``critical``.
        device_id, detector: of the scores.
        session_id: of the window behind this revision; an alert continues across a restart of its device.
        opened_session_id, opened_first_sample: of the window that opened it.
        first_sample: first sample of the window behind this revision.
        sample_rate: the device's rate, Hz.
        opened_ns: capture time of the opening window's first sample, nanoseconds since 1970.
        captured_ns: capture time of this revision's window.
        score, threshold: of this revision's window.
        peak_score: the largest score so far.
        confirmations: windows above their threshold among the last ``window_count``.
        window_count: how many windows confirmation looks at.
        kind: ``peak``: single scores exceed their threshold; ``level``: the minute as a whole does.
        level, level_threshold: of the current minute, above the device's usual score; None where levels are not
            evaluated.
        p_value: how often normal minutes of this device score at least this high, by rank.
        threshold_state: ``calibrating`` while the device's threshold is not yet its own.
        calibration_progress: 0 to 1; 1 when ready.
        degraded: True when Redis was away.
        bands: the mel bands that explain the score most, largest first.
        audio: position of the sound; None where it was not read from a topic.
        model: which model scored.
        reason: why it closed where its episode did not end: ``no_sound``, the device sends nothing; "" otherwise.
        summary: one line for people.
    """

    event_type: ClassVar[str] = "tocsin.alert.v1"

    alert_id: Label
    dedup_key: Annotated[str, Field(max_length=400)]
    state: AlertState
    revision: Count
    severity: Severity
    device_id: Name
    detector: Name
    session_id: Name
    opened_session_id: Name
    opened_first_sample: Count
    first_sample: Count
    sample_rate: Rate
    opened_ns: Annotated[int, Field(ge=0, le=MAX_NS)]
    captured_ns: Annotated[int, Field(ge=0, le=MAX_NS)]
    score: float
    threshold: float
    peak_score: float
    confirmations: Count
    window_count: Count
    kind: AlertKind = "peak"
    level: float | None = None
    level_threshold: float | None = None
    p_value: Annotated[float, Field(ge=0, le=1)] | None = None
    threshold_state: ThresholdState
    calibration_progress: Annotated[float, Field(ge=0, le=1)] | None = None
    degraded: bool = False
    bands: Annotated[tuple[Band, ...], Field(max_length=_MAX_BANDS)] = ()
    audio: AudioSpan | None = None
    model: ModelRef
    reason: CloseReason = ""
    summary: Line

    def key(self) -> str:
        return self.device_id

    def record_keys(self) -> tuple[str, ...]:
        return (self.device_id, self.dedup_key)

    def event_id(self) -> str:
        return f"{self.alert_id}/{self.revision}"

    def source(self) -> str:
        return f"/tocsin/detectors/{self.detector}"

    def time_ns(self) -> int:
        return self.captured_ns

    def to_state_record(self) -> Record:
        """The same revision for the compacted topic, which keeps the newest per device and detector."""
        record = self.to_record()
        return Record(self.dedup_key.encode(), record.value, record.headers)
