"""A device and detector's state: what is stored, guarded by the last window applied."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from processors.core.alert_life import LifeState
from processors.core.threshold import RuleState
from schemas.alert import Alert
from schemas.score import Score

_PAST_SESSIONS = 16


class Position(BaseModel):
    """The last window applied: its session and where it ends.

    Ends, because a model with shorter or longer windows may take over: its windows end after those before, wherever
    they begin.
    """

    model_config = ConfigDict(frozen=True)

    session_id: str
    end_sample: int


class Output(BaseModel):
    """What one window gave: its score, and an alert's revision where there is one."""

    model_config = ConfigDict(frozen=True)

    score: Score
    alert: Alert | None = None


class Learned(BaseModel):
    """What the threshold rule remembers of one model's scores.

    Attributes:
        sha256: of the model.
        rule: the rule's memory.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    rule: RuleState


class DetectorState(BaseModel):
    """All that is remembered of one device and slot between windows.

    Attributes:
        position: the last window applied; None before the first.
        past_sessions: sessions that ended before ``position``'s, the newest last; their windows are replays.
        model: sha256 of the model that ``rule`` has learned from; empty before the first window.
        rule: the threshold rule's memory.
        previous: the same of the model before, so that a rollback goes on where it was; None where there was none.
        life: the alert's.
        outbox: what the last batch sends. A replay sends it again word for word, because the worker may have stopped
            after storing it and before Kafka had it. What earlier batches sent, Kafka had confirmed before this
            state was stored.
    """

    model_config = ConfigDict(frozen=True)

    version: int = 1
    position: Position | None = None
    past_sessions: tuple[str, ...] = ()
    model: str = ""
    rule: RuleState = RuleState()
    previous: Learned | None = None
    life: LifeState = LifeState()
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

    def turn_to(self, sha256: str, other: DetectorState | None) -> tuple[RuleState, Learned | None]:
        """The rule's memory of another model, and what to keep as ``previous``.

        Args:
            sha256: of the model that scores from now on.
            other: the state of the device's other slot, as far as known: a shadow that is promoted, or a champion
                that goes on as shadow, keeps what was learned of it.

        Returns:
            What the other slot has learned of that model, else what this one had, else nothing yet.
        """
        previous = Learned(sha256=self.model, rule=self.rule) if self.model else self.previous
        if other is not None and other.model == sha256:
            return other.rule, previous
        for known in (self.previous, None if other is None else other.previous):
            if known is not None and known.sha256 == sha256:
                return known.rule, previous
        return RuleState(), previous
