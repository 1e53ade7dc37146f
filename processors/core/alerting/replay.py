"""Replay: repeats the decisions on stored scores, without the audio, as they were or under other settings."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from processors.core.alerting.alert_lifecycle import as_recorded
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.decision_step import step
from processors.core.alerting.detector_state import DetectorState, Output, Position
from processors.core.alerting.observation import observation_of
from processors.core.alerting.operator_feedback import OperatorFeedback
from schemas.score import Score

_OFFSET = attrgetter("offset")
# More than the alerts that one batch causes on a device.
_MAX_OUTBOX = 16


def replay_scores(
    context: DecisionContext,
    scores: Iterable[Score],
    feedback: Sequence[OperatorFeedback] = (),
    state: DetectorState | None = None,
) -> Iterator[tuple[DetectorState, Output]]:
    """Decides on scores one after the other, as the stream did or would have.

    Feedback takes effect where it did in the stream: each score records the offset of the last feedback its decision
    had applied, and later records wait for a later score. Feedback that no score has recorded is left for the device's
    next window. A judgement of an alert that ``scores`` do not lead to, because it is older or would not have been
    raised, changes nothing; nor does "this is normal" from before the first score, since the reference is built from
    that very sound.

    Args:
        context: budget and model; scores of other models are skipped.
        scores: of one device, detector and stage, in order.
        feedback: the operators' on it, oldest first.
        state: to begin with; None for a device never observed.

    Yields:
        The state after each score, and what the stream would have sent, without bands and audio span.
    """
    current = DetectorState() if state is None else state
    for score in scores:
        if score.model.sha256 != context.model.sha256 or current.is_applied(score.session_id, score.end_sample):
            continue
        current, output = step(current, context, observation_of(score), feedback=_known_to(score, feedback))
        yield current, output


def follow(
    state: DetectorState, context: DecisionContext | None, score: Score, feedback: Sequence[OperatorFeedback] = ()
) -> DetectorState:
    """The state after a score of the scores topic: thresholds as decided anew, the alert as the score records it.

    Args:
        state: before.
        context: budget and model; None where the model no longer scores the device. Then only the position and the
            alert follow.
        score: the next of its device, detector and stage.
        feedback: the operators' on it, oldest first.

    Returns:
        The state after; its outbox holds what the window caused beside its score.
    """
    if context is None or score.model.sha256 != context.model.sha256:
        past_sessions, _ = state.enter_session(score.session_id)
        position = Position(score.session_id, score.end_sample)
        after = state.model_copy(update={"position": position, "past_sessions": past_sessions, "run": None})
    else:
        after, _ = step(state, context, observation_of(score), feedback=_known_to(score, feedback))
    # A shadow's alerts are never sent; earlier versions did not record alerts in scores.
    if score.stage == "champion" and "alert" in score.model_fields_set:
        after = after.model_copy(update={"lifecycle": as_recorded(state.lifecycle, after.lifecycle, score)})
    # Its alert may not have been sent: when the window is read again, it is sent again.
    caused = (Output.of_logged(score),) if score.alert is not None or score.notices else ()
    return after.model_copy(update={"outbox": (*state.outbox, *caused)[-_MAX_OUTBOX:]})


def _known_to(score: Score, feedback: Sequence[OperatorFeedback]) -> Sequence[OperatorFeedback]:
    """The feedback that the decision on a score had applied, as the score records it."""
    if not feedback or score.explanation is None or score.explanation.last_feedback_offset is None:
        return ()
    return feedback[: bisect_right(feedback, score.explanation.last_feedback_offset, key=_OFFSET)]
