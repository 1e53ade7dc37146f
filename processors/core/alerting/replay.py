"""Retelling: decisions made again from scores, without the sound; what was, or what would have been."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from processors.core.alerting.alert_lifecycle import Evidence
from processors.core.alerting.decision_step import DecisionContext, OperatorFeedback, ScoredObservation, step
from processors.core.alerting.detector_state import DetectorState, Output
from schemas.score import Score

_NOTHING = Evidence(bands=(), audio=None)
_OFFSET = attrgetter("offset")


def replay_scores(
    judge: DecisionContext,
    scores: Iterable[Score],
    feedback: Sequence[OperatorFeedback] = (),
    state: DetectorState | None = None,
) -> Iterator[tuple[DetectorState, Output]]:
    """Judges scores one after the other, as the stream did or would have.

    Feedback takes effect where it did in the stream: each score says which record of the feedback topic its decision
    took in last, and later records wait for a later score. So feedback that no score knows yet is left for the window
    that comes next; scores that do not say (``explanation.last_feedback_offset`` is None) leave it to the first one
    that does. A verdict on an alert that ``scores`` do not lead to, because it is older than the first of them or would
    not have been raised,
    changes nothing: verdicts name their alert. "This is normal" from before the first score changes nothing either:
    what is learned from the scores after it is that very sound.

    Args:
        judge: promise and model; scores of other models are passed over.
        scores: of one device, detector and stage, in order.
        feedback: what people have said of it, oldest first.
        state: to begin with; None for a device never heard.

    Yields:
        The state after each score, and what the stream would have sent, without bands and place of the sound.
    """
    current = DetectorState() if state is None else state
    for score in scores:
        if score.model.sha256 != judge.model.sha256 or current.is_past(score.session_id, score.end_sample):
            continue
        known = _known_to(score, feedback)
        current, output = step(current, judge, observation_of(score), lambda: _NOTHING, feedback=known)
        yield current, output


def observation_of(score: Score) -> ScoredObservation:
    """What a score says of its window."""
    return ScoredObservation(
        device_id=score.device_id,
        detector=score.detector,
        stage=score.stage,
        session_id=score.session_id,
        first_sample=score.first_sample,
        n_samples=score.n_samples,
        sample_rate=score.sample_rate,
        captured_ns=score.captured_ns,
        level_dbfs=score.level_dbfs,
        score=score.score,
        reported_regime=score.reported_regime,
    )


def _known_to(score: Score, feedback: Sequence[OperatorFeedback]) -> Sequence[OperatorFeedback]:
    """What had been said when the score was decided, as the score tells."""
    if not feedback or score.explanation is None or score.explanation.last_feedback_offset is None:
        return ()
    return feedback[: bisect_right(feedback, score.explanation.last_feedback_offset, key=_OFFSET)]
