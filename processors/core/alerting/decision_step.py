"""The decision step: applies one scored observation to the state of a device and detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from processors.core.alerting.alert_lifecycle import AlertLifecycle, advance
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState, ModelCalibration, Output, Position, SessionRun
from processors.core.alerting.detectors import Detector
from processors.core.alerting.observation import ScoredObservation
from processors.core.alerting.operator_feedback import OperatorFeedback, apply_feedback
from processors.core.threshold.block_state import Decision
from processors.core.threshold.limits import UNREACHABLE, prior_of
from processors.core.threshold.reference import Reference
from processors.core.threshold.regime import enter_regime
from schemas.construct import construct_unchecked
from schemas.notice import Notice
from schemas.score import Score, ScoreExplanation

_DECIMALS = 6
_SECOND_NS = 1_000_000_000


def step(
    state: DetectorState,
    context: DecisionContext,
    observation: ScoredObservation,
    *,
    other: DetectorState | None = None,
    peers: Sequence[Reference] = (),
    feedback: Sequence[OperatorFeedback] = (),
    degraded: bool = False,
) -> tuple[DetectorState, Output]:
    """Applies one new window; the arguments are those of :func:`processors.core.alerting.decision.decide`.

    Returns:
        The state after, and the output, its alert without bands and audio span.
    """
    past_sessions, is_new_session = state.enter_session(observation.session_id)
    lifecycle, current, previous = state.lifecycle, state.current_model, state.previous_model
    if current is None or current.sha256 != context.model.sha256:
        previous = previous if current is None else current._replace(block_state=current.block_state.compacted())
        current = state.calibration_of(context.model.sha256, other) or _new_calibration(context, peers)
        # Episodes are counted per model; an open alert continues, its peak on the new model's scale.
        lifecycle = AlertLifecycle(alert=lifecycle.alert and lifecycle.alert._replace(peak=observation.score))
    rule = context.rule(current.prior)
    block_state = current.block_state
    if current.false_alarms_per_week != context.plan.false_alarms_per_week:
        block_state = rule.refresh_limits(block_state)
    regime = context.regime_of(observation, block_state.regime)
    block_state = enter_regime(rule, block_state, regime, context.is_obsolete)
    last_feedback_offset = state.last_feedback_offset
    if feedback and feedback[-1].offset > last_feedback_offset:
        for one in feedback:
            if one.offset > last_feedback_offset:
                block_state = apply_feedback(rule, block_state, lifecycle, one)
                last_feedback_offset = one.offset
    after_gap = is_new_session or (state.position is not None and observation.first_sample > state.position.end_sample)
    hop_ns = context.hop_ns
    block_state, decision = rule.step(block_state, observation.score, hop_ns, after_gap=after_gap)
    score = _score(observation, context, decision, hop_ns, block_state.regime, last_feedback_offset, degraded=degraded)
    confirmations = 0
    if score.threshold is not None:
        confirmations = sum(recent > score.threshold for recent in block_state.block.recent_scores)
    lifecycle, alert = advance(lifecycle, context.detector, score, decision, confirmations)
    after = construct_unchecked(
        DetectorState,
        version=3,
        position=Position(observation.session_id, observation.first_sample + observation.n_samples),
        past_sessions=past_sessions,
        run=_run(state, observation, is_new_session=is_new_session),
        current_model=ModelCalibration(
            context.model.sha256, block_state, current.prior, context.plan.false_alarms_per_week
        ),
        previous_model=previous,
        lifecycle=lifecycle,
        last_feedback_offset=last_feedback_offset,
        outbox=(),
    )
    if observation.stage == "shadow":
        return after, construct_unchecked(Output, score=score, alert=None, notices=())
    notices = _notices(score, decision, context.detector)
    return after, construct_unchecked(Output, score=score, alert=alert, notices=notices)


def _run(state: DetectorState, observation: ScoredObservation, *, is_new_session: bool) -> SessionRun:
    begin_ns = observation.captured_ns
    end_ns = begin_ns + observation.n_samples * _SECOND_NS // observation.sample_rate
    if state.run is None or is_new_session or state.position is None:
        return SessionRun(observation.sent_session_id or observation.session_id, begin_ns, end_ns)
    return state.run._replace(latest_ns=max(state.run.latest_ns, end_ns))


def _new_calibration(context: DecisionContext, peers: Sequence[Reference]) -> ModelCalibration:
    prior = prior_of(context.calibration, peers, context.plan)
    block_state = context.rule(prior).begin()
    return ModelCalibration(context.model.sha256, block_state, prior, context.plan.false_alarms_per_week)


def _score(
    observation: ScoredObservation,
    context: DecisionContext,
    decision: Decision,
    hop_ns: int,
    regime: str,
    last_feedback_offset: int,
    *,
    degraded: bool,
) -> Score:
    limits, score = decision.limits, observation.score
    threshold = None if limits.peak >= UNREACHABLE else round(limits.location + limits.peak, _DECIMALS)
    explanation = construct_unchecked(
        ScoreExplanation,
        confirmed=None if decision.confirmed <= -UNREACHABLE else round(decision.confirmed, _DECIMALS),
        level=round(decision.level, _DECIMALS),
        level_threshold=None if limits.level >= UNREACHABLE else round(limits.level, _DECIMALS),
        p_value=round(decision.p_value, 9),
        reference_blocks=limits.reference_blocks,
        block=decision.block,
        calibration_progress=min(limits.calibration_progress, 1.0),
        kind=decision.kind,
        episode=decision.episode,
        suppressed=decision.suppressed,
        false_alarms_per_week=context.plan.false_alarms_per_week,
        last_feedback_offset=last_feedback_offset,
    )
    return construct_unchecked(
        Score,
        device_id=observation.device_id,
        detector=observation.detector,
        session_id=observation.session_id,
        first_sample=observation.first_sample,
        n_samples=observation.n_samples,
        sample_rate=observation.sample_rate,
        captured_ns=observation.captured_ns,
        score=score,
        threshold=threshold,
        exceeds=threshold is not None and score > threshold,
        threshold_state=decision.state,
        degraded=degraded,
        level_dbfs=observation.level_dbfs,
        model=context.model,
        stage=observation.stage,
        hop_ns=hop_ns,
        regime=regime,
        reported_regime=observation.reported_regime,
        sent_session_id=observation.sent_session_id,
        explanation=explanation,
        alert=None,
        notices=(),
    )


def _notices(score: Score, decision: Decision, detector: Detector) -> tuple[Notice, ...]:
    if not (decision.drift_to_report or decision.suppressed_to_report):
        return ()
    found: list[tuple[Literal["drift", "suppressed"], int, str]] = []
    if decision.drift_to_report:
        text = f"The usual sound of {score.device_id} has drifted: inspect the device, or report its sound as normal"
        found.append(("drift", 1, text))
    if count := decision.suppressed_to_report:
        text = f"{detector.title} at {score.device_id}: {count} alerts suppressed by the limit of alerts per day"
        found.append(("suppressed", count, text))
    return tuple(
        Notice(
            device_id=score.device_id,
            detector=score.detector,
            session_id=score.session_id,
            kind=kind,
            count=count,
            end_sample=score.end_sample,
            captured_ns=score.captured_ns,
            summary=summary,
        )
        for kind, count, summary in found
    )
