"""One window's score, on the scores topic."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.alert import Alert
from schemas.bounds import MAX_INT64, Count, Rate
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event
from schemas.identity import window_id
from schemas.model_ref import ModelRef as ModelRef  # a part of a score, and imported with it
from schemas.notice import Notice
from schemas.threshold_state import ThresholdState as ThresholdState

Stage = Literal["champion", "shadow"]
_MAX_NOTICES = 16


class ScoreExplanation(BaseModel):
    """Why a score did, or did not, raise an alert.

    Attributes:
        confirmed: compared with the threshold: the m-th largest of the last n scores; None before there are m.
        level: of the current minute, above the device's usual score; in the score's unit.
        level_threshold: compared with the level; None while there is none, or where levels are not evaluated.
        p_value: (1 + reference minutes at least as high) / (reference_blocks + 1).
        reference_blocks: minutes ranked against; scores in a device's first hour.
        block: number of the minute since the device was first observed.
        calibration_progress: 0 to 1; 1 when ready.
        kind: what exceeds its threshold: ``peak``, ``level``, or "" outside an episode.
        episode: number of the current episode; 0 outside one.
        suppressed: what suppressed an alert: ``budget``, ``cooldown`` or "".
        false_alarms_per_week: the budget: at most so many on this device.
        last_feedback_offset: offset of the newest feedback record on this device and detector that was applied before
            the decision; -1 before any, None from workers that did not record it.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    confirmed: float | None
    level: float
    level_threshold: float | None
    p_value: float
    reference_blocks: Count
    block: Count
    calibration_progress: float
    kind: Literal["", "peak", "level"] = ""
    episode: Count = 0
    suppressed: Literal["", "budget", "cooldown"] = ""
    false_alarms_per_week: float
    last_feedback_offset: Annotated[int, Field(ge=-1, le=MAX_INT64)] | None = None


class Score(Event):
    """One detector's score of one window.

    Attributes:
        device_id, detector, session_id: of the window.
        first_sample: index of the window's first sample in its session, at the device's own rate.
        n_samples: the window's length in samples at the device's own rate.
        sample_rate: the device's rate, Hz.
        captured_ns: when the first sample was captured, nanoseconds since 1970, by the device's clock.
        score: higher is more anomalous; the scale is the model's.
        threshold: compared with the score; None while there is none yet.
        exceeds: whether score > threshold.
        threshold_state: ``calibrating`` until a week of the device's own sound decides.
        degraded: True when Redis was away and the last known threshold was used.
        level_dbfs: RMS level of the window, dB relative to full scale, -120 and up.
        model: which model scored.
        stage: ``champion`` scores may alert, ``shadow`` scores never do.
        hop_ns: new audio in the window, ns.
        regime: the operating regime whose threshold was used; "" where the device has only one.
        reported_regime: the operating regime its producer sent with the sound where the window begins; "" where it sent
            none.
        sent_session_id: the session id in the chunks, where its producer had used it for an earlier session; then
            ``session_id`` is that id and the beginning of the new one. None otherwise.
        explanation: what the decision rests on; None from workers before 0.2.
        alert: the alert's revision that this window caused, as on the alerts topic; None where it caused none, and from
            workers that did not record it.
        notices: the notices that this window caused.
    """

    event_type: ClassVar[str] = "tocsin.score.v1"

    device_id: Name
    detector: Name
    session_id: Name
    first_sample: Count
    n_samples: Annotated[int, Field(gt=0, le=MAX_INT64)]
    sample_rate: Rate
    captured_ns: Annotated[int, Field(ge=0, le=MAX_NS)]
    score: float
    threshold: float | None
    exceeds: bool
    threshold_state: ThresholdState
    degraded: bool = False
    level_dbfs: float
    model: ModelRef
    stage: Stage = "champion"
    hop_ns: Annotated[int, Field(ge=0, le=MAX_NS)] = 0
    regime: Annotated[str, Field(max_length=32)] = ""
    reported_regime: Annotated[str, Field(max_length=32)] = ""
    sent_session_id: Name | None = None
    explanation: ScoreExplanation | None = None
    alert: Alert | None = None
    notices: Annotated[tuple[Notice, ...], Field(max_length=_MAX_NOTICES)] = ()

    def key(self) -> str:
        return self.device_id

    def event_id(self) -> str:
        return window_id(
            self.device_id,
            self.detector,
            self.session_id,
            self.first_sample,
            self.n_samples,
            shadow=self.stage == "shadow",
        )

    @property
    def end_sample(self) -> int:
        """One past the window's last sample."""
        return self.first_sample + self.n_samples

    def source(self) -> str:
        return f"/tocsin/detectors/{self.detector}"

    def time_ns(self) -> int:
        return self.captured_ns
