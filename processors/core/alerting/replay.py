"""Replay: repeats the decisions on stored scores, without the audio, as they were or under other settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.decision_step import step
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.observation import observation_of
from processors.core.alerting.operator_feedback import OperatorFeedback
from schemas.score import Score


def replay_scores(
    context: DecisionContext,
    scores: Iterable[Score],
    feedback: Sequence[OperatorFeedback] = (),
    state: DetectorState | None = None,
) -> Iterator[tuple[DetectorState, Output]]:
    """Decides on scores one after the other, as the stream did or would have.

    Args:
        context: budget and model; scores of other models are skipped.
        scores: of one device, detector and stage, in order.
        feedback: the operators' on it, applied with the first score.
        state: to begin with; None for a device never observed.

    Yields:
        The state after each score, and what the stream would have sent, without bands and audio span.
    """
    current = DetectorState() if state is None else state
    for score in scores:
        if score.model.sha256 != context.model.sha256 or current.is_applied(score.session_id, score.end_sample):
            continue
        current, output = step(current, context, observation_of(score), feedback=feedback)
        yield current, output
