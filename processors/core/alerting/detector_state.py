"""A device and detector's state: what is stored, guarded by the last window applied."""

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


class Position(NamedTuple):
    """The last window applied: its session and where it ends.

    Ends, because a model with shorter or longer windows may take over: its windows end after those before, wherever
    they begin.
    """

    session_id: str
    end_sample: int


class Output(BaseModel):
    """What one window gave: its score, an alert's revision where there is one, and notices."""

    model_config = ConfigDict(frozen=True)

    score: Score
    alert: Alert | None = None
    notices: tuple[Notice, ...] = ()


class ModelCalibration(NamedTuple):
    """What the threshold rule remembers of one model's scores.

    Attributes:
        sha256: of the model.
        rule: the rule's memory.
        prior: what stood in before the device had been heard.
        per_week: the promise its limits follow from, false alarms a week.
    """

    sha256: str
    rule: BlockState
    prior: Prior
    per_week: float


class DetectorState(BaseModel):
    """All that is remembered of one device and slot between windows.

    Attributes:
        position: the last window applied; None before the first.
        past_sessions: sessions that ended before ``position``'s, the newest last; their windows are replays.
        learned: what is remembered of the model that scores; None before the first window.
        previous: the same of the model before, so that a rollback goes on where it was; None where there was none.
        life: the alert's.
        last_feedback_offset: of the last record of the feedback topic that has been applied; -1 before the first.
        outbox: what the last batch sends. A replay sends it again word for word, because the worker may have stopped
            after storing it and before Kafka had it. What earlier batches sent, Kafka had confirmed before this
            state was stored.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[2] = 2
    position: Position | None = None
    past_sessions: tuple[str, ...] = ()
    learned: ModelCalibration | None = None
    previous: ModelCalibration | None = None
    life: AlertLifecycle = AlertLifecycle()
    last_feedback_offset: int = -1
    outbox: tuple[Output, ...] = ()

    def is_past(self, session_id: str, end_sample: int) -> bool:
        """Whether a window was applied before, by this model or another."""
        if self.position is None:
            return False
        if session_id == self.position.session_id:
            return end_sample <= self.position.end_sample
        return session_id in self.past_sessions

    def sent(self, session_id: str, end_sample: int) -> Output | None:
        """What the outbox holds of the window that ends there."""
        for output in self.outbox:
            if (output.score.session_id, output.score.end_sample) == (session_id, end_sample):
                return output
        return None

    def enter(self, session_id: str) -> tuple[tuple[str, ...], bool]:
        """The past sessions once ``session_id`` goes on, and whether it is new."""
        if self.position is None or self.position.session_id == session_id:
            return self.past_sessions, False
        return (*self.past_sessions, self.position.session_id)[-_PAST_SESSIONS:], True

    @property
    def model(self) -> str:
        """sha256 of the model that scored last; empty before the first window."""
        return "" if self.learned is None else self.learned.sha256

    def known_of(self, sha256: str, other: DetectorState | None) -> ModelCalibration | None:
        """What is remembered of another model.

        Args:
            sha256: of the model that scores from now on.
            other: the state of the device's other slot, as far as known: a shadow that is promoted, or a champion
                that goes on as shadow, keeps what was learned of it.

        Returns:
            What the other slot has learned of that model, else what this one had, else None.
        """
        theirs = (None, None) if other is None else (other.learned, other.previous)
        for known in (theirs[0], self.previous, theirs[1]):
            if known is not None and known.sha256 == sha256:
                return known
        return None
