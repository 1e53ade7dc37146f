"""A device and detector's state: what is stored, guarded by the last window applied."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from processors.core.alert_life import LifeState
from processors.core.threshold import RuleState
from schemas.alert import Alert
from schemas.score import Score

_PAST_SESSIONS = 16


class Position(BaseModel):
    """The last window applied: its session and first sample."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    first_sample: int


class Output(BaseModel):
    """What one window gave: its score, and an alert's revision where there is one."""

    model_config = ConfigDict(frozen=True)

    score: Score
    alert: Alert | None = None


class DetectorState(BaseModel):
    """All that is remembered of one device and detector between windows.

    Attributes:
        position: the last window applied; None before the first.
        past_sessions: sessions that ended before ``position``'s, the newest last; their windows are replays.
        rule: the threshold rule's memory.
        life: the alert's.
        outbox: what the last batch sends. A replay sends it again word for word, because the worker may have stopped
            after storing it and before Kafka had it. What earlier batches sent, Kafka had confirmed before this
            state was stored.
    """

    model_config = ConfigDict(frozen=True)

    version: int = 1
    position: Position | None = None
    past_sessions: tuple[str, ...] = ()
    rule: RuleState = RuleState()
    life: LifeState = LifeState()
    outbox: tuple[Output, ...] = ()

    def is_past(self, session_id: str, first_sample: int) -> bool:
        """Whether a window was applied before."""
        if self.position is None:
            return False
        if session_id == self.position.session_id:
            return first_sample <= self.position.first_sample
        return session_id in self.past_sessions

    def sent(self, session_id: str, first_sample: int) -> Output | None:
        """What the outbox holds of a window."""
        for output in self.outbox:
            if (output.score.session_id, output.score.first_sample) == (session_id, first_sample):
                return output
        return None

    def enter(self, session_id: str) -> tuple[tuple[str, ...], bool]:
        """The past sessions once ``session_id`` goes on, and whether it is new."""
        if self.position is None or self.position.session_id == session_id:
            return self.past_sessions, False
        return (*self.past_sessions, self.position.session_id)[-_PAST_SESSIONS:], True
