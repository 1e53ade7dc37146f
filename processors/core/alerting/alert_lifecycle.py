"""An alert's life: an episode of the rule opens it, it is updated while it lasts, the episode's end closes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from processors.core.alerting.detectors import Detector
from processors.core.threshold.block_state import Decision
from schemas.alert import Alert, AlertKind, AlertState, AudioSpan, Band, Severity
from schemas.identity import alert_id
from schemas.score import Score
from schemas.score_text import score_text

_REMEMBERED = 16


class OpenAlert(NamedTuple):
    """The alert that is open.

    Attributes:
        alert_id, session_id, first_sample, captured_ns: of the window that opened it.
        revision: of the last record sent.
        peak: largest score so far.
        severity: so far; it never falls.
        kind: so far; ``level`` once a minute's level exceeded.
        quiet_ns: sound since the last exceedance, where a model that has no part in the episode judges now.
        since_update_ns: sound since the last record.
    """

    alert_id: str
    session_id: str
    first_sample: int
    captured_ns: int
    revision: int
    peak: float
    severity: Severity
    kind: AlertKind
    quiet_ns: int = 0
    since_update_ns: int = 0


class AlertLifecycle(NamedTuple):
    """What is remembered between windows.

    Attributes:
        alert: the open alert, or None.
        raised: alert ids and the episodes they belong to, the newest last: verdicts name alerts.
    """

    alert: OpenAlert | None = None
    raised: tuple[tuple[str, int], ...] = ()


class Evidence(BaseModel):
    """What an alert shows besides numbers.

    Attributes:
        bands: mel bands that explain the score, largest first.
        audio: where the sound lies, or None.
    """

    model_config = ConfigDict(frozen=True)

    bands: tuple[Band, ...]
    audio: AudioSpan | None


def advance(
    state: AlertLifecycle,
    detector: Detector,
    score: Score,
    decision: Decision,
    above: int,
    evidence: Callable[[], Evidence],
) -> tuple[AlertLifecycle, Alert | None]:
    """One window later.

    Args:
        state: before.
        detector: its release and updates.
        score: of the window.
        decision: what the rule says of it.
        above: windows above the threshold among the latest ``detector.among``.
        evidence: called only where an alert record is made.

    Returns:
        The state after, and the alert's new revision where there is one.
    """
    if score.threshold is None:
        return state, None
    if state.alert is not None:
        return _go_on(state, state.alert, detector, score, score.threshold, decision, above, evidence)
    if decision.alert != "opens":
        return state, None
    opened = OpenAlert(
        alert_id=alert_id(score.device_id, score.detector, score.session_id, score.first_sample, score.n_samples),
        session_id=score.session_id,
        first_sample=score.first_sample,
        captured_ns=score.captured_ns,
        revision=0,
        peak=score.score,
        severity=_severity(decision),
        kind=decision.kind or "peak",
    )
    raised = (*state.raised, (opened.alert_id, decision.episode))[-_REMEMBERED:]
    alert = _revision(opened, "opened", detector, score, score.threshold, above, evidence())
    return AlertLifecycle(alert=opened, raised=raised), alert


def _go_on(
    state: AlertLifecycle,
    alert: OpenAlert,
    detector: Detector,
    score: Score,
    threshold: float,
    decision: Decision,
    above: int,
    evidence: Callable[[], Evidence],
) -> tuple[AlertLifecycle, Alert | None]:
    severe = "critical" in (alert.severity, _severity(decision))
    by_level = "level" in (alert.kind, decision.kind)
    # After a change of model the rule's episodes begin anew: then quiet alone closes the alert.
    calm = decision.alert == "none" and not decision.exceeds
    after = alert._replace(
        peak=max(alert.peak, score.score),
        severity="critical" if severe else "warning",
        kind="level" if by_level else "peak",
        quiet_ns=alert.quiet_ns + score.hop_ns if calm else 0,
        since_update_ns=alert.since_update_ns + score.hop_ns,
    )
    closes = decision.alert == "closes" or after.quiet_ns >= detector.release_ns
    grew = after.severity != alert.severity or after.kind != alert.kind or decision.alert == "opens"
    due = after.since_update_ns >= detector.update_ns and decision.exceeds
    if not (closes or grew or due):
        return state._replace(alert=after), None
    after = after._replace(revision=after.revision + 1, since_update_ns=0)
    revision = _revision(after, "closed" if closes else "updated", detector, score, threshold, above, evidence())
    raised = (*state.raised, (after.alert_id, decision.episode)) if decision.alert == "opens" else state.raised
    return AlertLifecycle(alert=None if closes else after, raised=raised[-_REMEMBERED:]), revision


def _severity(decision: Decision) -> Severity:
    """Critical where what is compared lies twice as far above the usual score as its limit; both are relative to it."""
    limits = decision.limits
    far = decision.confirmed - limits.location >= 2.0 * limits.peak or decision.level >= 2.0 * limits.level
    return "critical" if far else "warning"


def _revision(
    alert: OpenAlert,
    state: AlertState,
    detector: Detector,
    score: Score,
    threshold: float,
    above: int,
    evidence: Evidence,
) -> Alert:
    why = score.explanation
    return Alert(
        alert_id=alert.alert_id,
        dedup_key=f"{score.device_id}/{score.detector}",
        state=state,
        revision=alert.revision,
        severity=alert.severity,
        device_id=score.device_id,
        detector=score.detector,
        session_id=score.session_id,
        opened_session_id=alert.session_id,
        opened_first_sample=alert.first_sample,
        first_sample=score.first_sample,
        sample_rate=score.sample_rate,
        opened_ns=alert.captured_ns,
        captured_ns=score.captured_ns,
        score=score.score,
        threshold=threshold,
        peak_score=alert.peak,
        confirmations=above,
        window_count=detector.among,
        kind=alert.kind,
        level=None if why is None or why.level_threshold is None else why.level,
        level_threshold=None if why is None else why.level_threshold,
        p_value=None if why is None else why.p_value,
        threshold_state=score.threshold_state,
        calibration_progress=None if why is None else why.calibration_progress,
        degraded=score.degraded,
        bands=evidence.bands,
        audio=evidence.audio,
        model=score.model,
        summary=_summary(alert, state, detector, score, threshold),
    )


def _summary(alert: OpenAlert, state: AlertState, detector: Detector, score: Score, threshold: float) -> str:
    why = score.explanation
    peak = score_text(alert.peak)
    what = f"score {score_text(score.score)}, threshold {score_text(threshold)}, peak {peak}"
    if alert.kind == "level" and why is not None and why.level_threshold is not None:
        level, limit = score_text(why.level), score_text(why.level_threshold)
        what = f"the minute lies {level} above usual, limit {limit}, peak {peak}"
    calibrating = (
        "" if score.threshold_state == "ready" or why is None else f", calibrating ({why.calibration_progress:.0%})"
    )
    start = score.first_sample / score.sample_rate
    return (
        f"{detector.title} {'over' if state == 'closed' else 'at'} {score.device_id}: {what}{calibrating}, "
        f"{start:.1f} s into the session"
    )
