"""With any events in any order: at most one alert is open, and each closes once."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.windowing.window import Window
from tests.unit.core.models import FakeModel
from tests.unit.core.scored_windows import MODEL, decision_context, window

OTHER = FakeModel("other", MODEL.spec)
QUIET = [0.0, 0.1, -0.1, 0.05] * 5


@dataclass(frozen=True)
class Scored:
    """Some seconds of audio, scored by one model."""

    scores: tuple[float, ...]
    other: bool


@dataclass(frozen=True)
class Replayed:
    """The latest seconds once more, as after a crash."""

    seconds: int


@dataclass(frozen=True)
class Feedback:
    """An operator's feedback on the newest alert, or on the device."""

    action: str


@dataclass(frozen=True)
class NewBudget:
    """Another false-alarm budget."""

    per_week: float


@dataclass(frozen=True)
class Restarted:
    """The device begins a new session, a worker reads its state anew."""


STEPS = st.one_of(
    st.builds(Scored, st.lists(st.sampled_from([0.0, 0.1, -0.1, 2.0, 9.0, 40.0]), min_size=1, max_size=90).map(tuple),
              st.booleans()),
    st.builds(Replayed, st.integers(1, 120)),
    st.builds(Feedback, st.sampled_from(["false-alarm", "real", "normal", "undo"])),
    st.builds(NewBudget, st.sampled_from([0.5, 1.0, 7.0])),
    st.builds(Restarted),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_at_most_one_alert_is_open_and_each_closes_once(steps: list[object]) -> None:
    state, scored, outputs, feedback = DetectorState(), list[ScoredWindow](), list[Output](), list[OperatorFeedback]()
    per_week, session, second = 1.0, 1, 0

    def context_of(one: Window) -> DecisionContext:
        return decision_context(model=OTHER if one.model is OTHER else MODEL, per_week=per_week)

    for step in [Scored(tuple(QUIET), other=False), *steps]:
        batch: list[ScoredWindow] = []
        match step:
            case Scored(scores, other):
                model = OTHER if other else MODEL
                batch = [window(second + n, score, f"s{session}", model=model) for n, score in enumerate(scores)]
                second += len(scores)
                scored += batch
            case Replayed(seconds):
                batch = scored[-seconds:]
            case Feedback(action):
                of = next((o.alert.alert_id for o in reversed(outputs) if o.alert is not None), "")
                feedback.append(OperatorFeedback(len(feedback), action, of))
            case NewBudget(value):
                per_week = value
            case Restarted():
                session, second = session + 1, 0
                state = DetectorState.model_validate_json(state.model_dump_json())
        if batch:
            state, out = decide(state, context_of, batch, feedback=feedback)
            outputs += out

    revisions: dict[str, str] = {}
    open_id, next_revision, closed = None, 0, set[str]()
    for alert in (o.alert for o in outputs if o.alert is not None):
        content = alert.model_dump_json()
        if alert.event_id() in revisions:
            assert revisions[alert.event_id()] == content, "a replay repeats the same bytes"
            continue
        revisions[alert.event_id()] = content
        if alert.state == "opened":
            assert open_id is None
            assert alert.alert_id not in closed
            open_id, next_revision = alert.alert_id, 0
        assert alert.alert_id == open_id
        assert alert.revision == next_revision
        next_revision += 1
        if alert.state == "closed":
            closed.add(alert.alert_id)
            open_id = None
