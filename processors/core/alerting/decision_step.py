"""Judging: one score against a device and detector's state; with the window itself or without it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from processors.core.alerting.alert_lifecycle import AlertLifecycle, Evidence, advance
from processors.core.alerting.detector_state import DetectorState, ModelCalibration, Output, Position
from processors.core.alerting.detectors import Detector
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState, Decision
from processors.core.threshold.budget import Plan
from processors.core.threshold.feedback import accepted, judged, rolled_back
from processors.core.threshold.limits import FAR, Prior, prior_of
from processors.core.threshold.reference import Reference
from processors.core.threshold.regime import entered
from schemas.construct import construct_unchecked
from schemas.features import FeatureSpec
from schemas.feedback import Action
from schemas.manifest import Calibration
from schemas.notice import Notice
from schemas.score import ModelRef, Score, ScoreExplanation, Stage

_DECIMALS = 6
_HOUR_NS = 3_600_000_000_000
_BAND = "{:02d}h"
_OTHERS = {"", *(_BAND.format(hour) for hour in range(24))}


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """All that a decision needs besides state and scores.

    Attributes:
        detector: confirmation and release.
        plan: the promise and its arithmetic.
        calibration: of the model.
        model: which model scored.
        spec: its features.
        topic: where the audio came from; None for files.
        hours: hours of the day (UTC) at which another regime begins, ascending; fewer than two make one regime.
        use_reported_regime: whether each regime that the producer reports is one.
    """

    detector: Detector
    plan: Plan
    calibration: Calibration
    model: ModelRef
    spec: FeatureSpec
    topic: str | None = None
    hours: tuple[int, ...] = ()
    use_reported_regime: bool = False


class ScoredObservation(NamedTuple):
    """A window's score and where it lies; see :class:`schemas.score.Score`."""

    device_id: str
    detector: str
    stage: Stage
    session_id: str
    first_sample: int
    n_samples: int
    sample_rate: int
    captured_ns: int
    level_dbfs: float
    score: float
    reported_regime: str = ""


class OperatorFeedback(NamedTuple):
    """What somebody said of a device's detector.

    Attributes:
        offset: of the record on the feedback topic.
        word: the judgement, or ``normal`` and ``undo``.
        alert_id: of the alert judged; "" for ``normal`` and ``undo``.
    """

    offset: int
    word: Action | Literal["false-alarm", "real"]
    alert_id: str = ""


def step(
    state: DetectorState,
    judge: DecisionContext,
    heard: ScoredObservation,
    evidence: Callable[[], Evidence],
    *,
    other: DetectorState | None = None,
    peers: Sequence[Reference] = (),
    feedback: Sequence[OperatorFeedback] = (),
    degraded: bool = False,
) -> tuple[DetectorState, Output]:
    """One new window later; see :func:`processors.core.alerting.decision.decide`."""
    past, is_new = state.enter(heard.session_id)
    life, previous = state.life, state.previous
    learned = state.learned
    if learned is None or learned.sha256 != judge.model.sha256:
        previous = previous if learned is None else learned._replace(rule=learned.rule.packed())
        learned = state.known_of(judge.model.sha256, other) or _begun(judge, peers)
        # Episodes are counted by each model's memory; an open alert goes on, its peak on the new scale.
        life = AlertLifecycle(alert=life.alert and life.alert._replace(peak=heard.score))
    rule = _rule(judge.detector, judge.plan, learned.prior)
    memory = learned.rule
    if learned.per_week != judge.plan.per_week:
        memory = rule.refreshed(memory)
    memory = entered(rule, memory, _regime(judge, heard, memory.regime), lambda regime: _is_foreign(judge, regime))
    last_offset = state.last_feedback_offset
    if feedback and feedback[-1].offset > last_offset:
        for one in feedback:
            if one.offset > last_offset:
                memory, last_offset = _told(rule, memory, life, one), one.offset
    hop_ns = hop_of(judge.spec)
    fresh = is_new or (state.position is not None and heard.first_sample > state.position.end_sample)
    memory, decision = rule.step(memory, heard.score, hop_ns, fresh=fresh)
    score = _score(heard, judge, decision, hop_ns, memory.regime, last_offset, degraded=degraded)
    above = sum(one > score.threshold for one in memory.run.recent) if score.threshold is not None else 0
    life, alert = advance(life, judge.detector, score, decision, above, evidence)
    after = construct_unchecked(
        DetectorState,
        version=2,
        position=Position(heard.session_id, heard.first_sample + heard.n_samples),
        past_sessions=past,
        learned=ModelCalibration(judge.model.sha256, memory, learned.prior, judge.plan.per_week),
        previous=previous,
        life=life,
        last_feedback_offset=last_offset,
        outbox=(),
    )
    if heard.stage == "shadow":
        return after, construct_unchecked(Output, score=score, alert=None, notices=())
    return after, construct_unchecked(
        Output, score=score, alert=alert, notices=_notices(score, decision, judge.detector)
    )


def hop_of(spec: FeatureSpec) -> int:
    """New sound a window brings, ns."""
    return spec.window_hop * spec.pool * spec.hop * 1_000_000_000 // spec.sample_rate


def _begun(judge: DecisionContext, peers: Sequence[Reference]) -> ModelCalibration:
    prior = prior_of(judge.calibration, peers, judge.plan)
    memory = _rule(judge.detector, judge.plan, prior).begin()
    return ModelCalibration(sha256=judge.model.sha256, rule=memory, prior=prior, per_week=judge.plan.per_week)


@lru_cache(maxsize=4_096)
def _rule(detector: Detector, plan: Plan, prior: Prior) -> BlockRule:
    return BlockRule(
        plan=plan,
        prior=prior,
        confirm=detector.confirm,
        among=detector.among,
        release_ns=detector.release_ns,
        hysteresis=detector.hysteresis,
        cooldown_ns=detector.cooldown_ns,
    )


def _regime(judge: DecisionContext, heard: ScoredObservation, present: str) -> str:
    """The regime a window belongs to; "" where there is one only.

    It is the regime reported with the sound where the window begins, or the hour-of-day band that it begins in, named
    by the band's first hour. Sound without a reported regime goes on in the regime heard last.
    """
    if judge.use_reported_regime:
        return heard.reported_regime or present
    if len(judge.hours) < 2:
        return ""
    hour = heard.captured_ns // _HOUR_NS % 24
    return _BAND.format(judge.hours[bisect_right(judge.hours, hour) - 1])


def _is_foreign(judge: DecisionContext, regime: str) -> bool:
    """Whether a regime is none of those that the policy makes: it comes from before there was one."""
    if judge.use_reported_regime:
        return regime in _OTHERS
    return regime not in {_BAND.format(hour) for hour in judge.hours}


def _told(rule: BlockRule, memory: BlockState, life: AlertLifecycle, one: OperatorFeedback) -> BlockState:
    if one.word == "normal":
        return accepted(rule, memory)
    if one.word == "undo":
        return rolled_back(rule, memory)
    for alert_id, episode in life.raised:
        if alert_id == one.alert_id:
            memory = judged(rule, memory, episode, one.word)
    return memory


def _score(
    heard: ScoredObservation,
    judge: DecisionContext,
    decision: Decision,
    hop_ns: int,
    regime: str,
    last_feedback_offset: int,
    *,
    degraded: bool,
) -> Score:
    limits, score = decision.limits, heard.score
    threshold = None if limits.peak >= FAR else round(limits.location + limits.peak, _DECIMALS)
    why = construct_unchecked(
        ScoreExplanation,
        confirmed=None if decision.confirmed <= -FAR else round(decision.confirmed, _DECIMALS),
        level=round(decision.level, _DECIMALS),
        level_threshold=None if limits.level >= FAR else round(limits.level, _DECIMALS),
        p_value=round(decision.p_value, 9),
        reference_blocks=limits.n,
        block=decision.block,
        calibration_progress=min(limits.progress, 1.0),
        kind=decision.kind,
        episode=decision.episode,
        suppressed=decision.suppressed,
        false_alarms_per_week=judge.plan.per_week,
        last_feedback_offset=last_feedback_offset,
    )
    return construct_unchecked(
        Score,
        device_id=heard.device_id,
        detector=heard.detector,
        session_id=heard.session_id,
        first_sample=heard.first_sample,
        n_samples=heard.n_samples,
        sample_rate=heard.sample_rate,
        captured_ns=heard.captured_ns,
        score=score,
        threshold=threshold,
        exceeds=threshold is not None and score > threshold,
        threshold_state=decision.state,
        degraded=degraded,
        level_dbfs=heard.level_dbfs,
        model=judge.model,
        stage=heard.stage,
        hop_ns=hop_ns,
        regime=regime,
        reported_regime=heard.reported_regime,
        explanation=why,
    )


def _notices(score: Score, decision: Decision, detector: Detector) -> tuple[Notice, ...]:
    if not (decision.drift or decision.told):
        return ()
    found: list[tuple[Literal["drift", "suppressed"], int, str]] = []
    if decision.drift:
        text = f"The usual sound of {score.device_id} has moved away from what it was: look at it, or say it is normal"
        found.append(("drift", 1, text))
    if decision.told:
        text = f"{detector.title} at {score.device_id}: {decision.told} alerts kept back by the day's budget"
        found.append(("suppressed", decision.told, text))
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
