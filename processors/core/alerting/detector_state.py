"""The stored state of a device and detector, with the position of the last window applied."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from processors.core.alerting.alert_lifecycle import AlertLifecycle
from processors.core.threshold.block_state import BlockState
from processors.core.threshold.limits import Prior
from schemas.alert import Alert
from schemas.notice import Notice
from schemas.score import Score

_PAST_SESSIONS = 16
_MAX_SENT_AS = 80


class Position(NamedTuple):
    """The last window applied: its session and its end.

    Its end, because a model with shorter or longer windows may take over: its windows end later than those before,
    wherever they begin.
    """

    session_id: str
    end_sample: int


class SessionRun(NamedTuple):
    """A producer's run under one session id; a producer may use the id of an earlier run again.

    Attributes:
        sent_as: the session id in its chunks.
        begin_ns: capture time of the first window applied, nanoseconds since 1970.
        latest_ns: capture time of the latest sample applied.
    """

    sent_as: str
    begin_ns: int
    latest_ns: int


class Output(BaseModel):
    """The records one window produces: its score, an alert's revision where there is one, and notices.

    The score itself is without the alert and the notices; :meth:`logged` adds them.
    """

    model_config = ConfigDict(frozen=True)

    score: Score
    alert: Alert | None = None
    notices: tuple[Notice, ...] = ()

    def logged(self) -> Score:
        """The score as the scores topic holds it: with all that its window caused."""
        if self.alert is None and not self.notices:
            return self.score
        return self.score.model_copy(update={"alert": self.alert, "notices": self.notices})

    @classmethod
    def of_logged(cls, score: Score) -> Output:
        """The output that a score of the scores topic records."""
        alone = score.model_copy(update={"alert": None, "notices": ()})
        return cls(score=alone, alert=score.alert, notices=score.notices)


class ModelCalibration(NamedTuple):
    """The thresholds of one model on a device.

    Attributes:
        sha256: of the model.
        block_state: the threshold rule's state.
        prior: what was known before the device was observed.
        false_alarms_per_week: the budget its limits follow from.
    """

    sha256: str
    block_state: BlockState
    prior: Prior
    false_alarms_per_week: float


class DetectorState(BaseModel):
    """The state of one device and slot between windows.

    Attributes:
        position: the last window applied; None before the first.
        past_sessions: sessions before that of ``position``, the newest last; their windows were applied.
        run: of the session of ``position``; None in states of earlier versions.
        current_model: thresholds of the model that scores; None before the first window.
        previous_model: those of the model before, so that a rollback continues with them; None without one.
        lifecycle: of the alert.
        last_feedback_offset: of the last record of the feedback topic that has been applied; -1 before the first.
        outbox: the outputs of the last batch. When its windows are read again they are sent again unchanged, because
            the worker may have stopped after storing the state and before Kafka confirmed them. Outputs of earlier
            batches were confirmed before this state was stored.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[3] = 3
    position: Position | None = None
    past_sessions: tuple[str, ...] = ()
    run: SessionRun | None = None
    current_model: ModelCalibration | None = None
    previous_model: ModelCalibration | None = None
    lifecycle: AlertLifecycle = AlertLifecycle()
    last_feedback_offset: int = -1
    outbox: tuple[Output, ...] = ()

    def is_applied(self, session_id: str, end_sample: int) -> bool:
        """Whether a window was applied before, scored by this model or another."""
        if self.position is None:
            return False
        if session_id == self.position.session_id:
            return end_sample <= self.position.end_sample
        return session_id in self.past_sessions

    def locate(self, sent_as: str, end_sample: int, captured_ns: int) -> tuple[str, bool]:
        """The session that a window belongs to, and whether it was applied before.

        Where a producer begins again under the id of its last session, or returns to an earlier one, the new run is a
        session of its own, named after its beginning: its windows must not have the ids of others.

        Args:
            sent_as: the session id in the window's chunks.
            end_sample: its end, as a session index.
            captured_ns: capture time of its first sample, nanoseconds since 1970.
        """
        if self.position is None:
            return sent_as, False
        run, current = self.run, self.position.session_id
        if run is None:
            return sent_as, self.is_applied(sent_as, end_sample)
        name = f"{sent_as[:_MAX_SENT_AS]}.r{captured_ns:x}"
        if run.sent_as == sent_as:
            if end_sample <= self.position.end_sample:
                # What was applied before was captured before the latest sample applied.
                return (current, True) if captured_ns < run.latest_ns else (name, False)
            return current, current != sent_as and captured_ns < run.begin_ns
        if any(one == sent_as or one.startswith(f"{sent_as[:_MAX_SENT_AS]}.r") for one in self.past_sessions):
            return (sent_as, True) if captured_ns < run.latest_ns else (name, False)
        return sent_as, False

    def output_of(self, session_id: str, end_sample: int) -> Output | None:
        """The output in the outbox of the window with that end, or None."""
        for output in self.outbox:
            if (output.score.session_id, output.score.end_sample) == (session_id, end_sample):
                return output
        return None

    def enter_session(self, session_id: str) -> tuple[tuple[str, ...], bool]:
        """The past sessions once a window of ``session_id`` is applied, and whether the session is new."""
        if self.position is None or self.position.session_id == session_id:
            return self.past_sessions, False
        return (*self.past_sessions, self.position.session_id)[-_PAST_SESSIONS:], True

    @property
    def model_sha256(self) -> str:
        """sha256 of the model that scored last; empty before the first window."""
        return "" if self.current_model is None else self.current_model.sha256

    def calibration_of(self, sha256: str, other: DetectorState | None) -> ModelCalibration | None:
        """The stored thresholds of another model.

        Args:
            sha256: of the model that scores from now on.
            other: the state of the device's other slot, if known: a shadow that is promoted, or a champion that
                continues as shadow, keeps its thresholds.

        Returns:
            The other slot's current thresholds of that model, else this slot's previous ones, else the other slot's
            previous ones, else None.
        """
        theirs = (None, None) if other is None else (other.current_model, other.previous_model)
        for known in (theirs[0], self.previous_model, theirs[1]):
            if known is not None and known.sha256 == sha256:
                return known
        return None
