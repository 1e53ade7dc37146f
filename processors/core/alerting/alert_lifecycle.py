"""The lifecycle of an alert: an episode opens it, updates follow while it lasts, the end of the episode closes it."""

from __future__ import annotations

from typing import NamedTuple

from processors.core.alerting.detectors import Detector
from processors.core.threshold.block_state import Decision
from schemas.alert import Alert, AlertKind, AlertState, Severity
from schemas.identity import alert_id
from schemas.score import Score
from schemas.score_text import score_text

_MAX_RAISED = 16


class OpenAlert(NamedTuple):
    """The open alert.

    Attributes:
        alert_id, session_id, first_sample, captured_ns: of the window that opened it.
        revision: of the last record sent.
        peak: largest score so far.
        severity: so far; it never decreases.
        kind: so far; ``level`` once a minute's level exceeded.
        quiet_ns: audio since the last exceedance, counted outside of episodes: after a change of model.
        since_update_ns: audio since the last record.
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
    """The alert state between windows.

    Attributes:
        alert: the open alert, or None.
        raised: ids of raised alerts and their episodes, the newest last: feedback refers to alerts.
    """

    alert: OpenAlert | None = None
    raised: tuple[tuple[str, int], ...] = ()


def advance(
    state: AlertLifecycle,
    detector: Detector,
    score: Score,
    decision: Decision,
    confirmations: int,
) -> tuple[AlertLifecycle, Alert | None]:
    """Applies one window.

    Args:
        state: before.
        detector: release and updates.
        score: of the window.
        decision: of the threshold rule.
        confirmations: windows above the threshold among the latest ``detector.window_count``.

    Returns:
        The state after, and the alert's new revision or None, without bands and audio span.
    """
    if score.threshold is None:
        return state, None
    if state.alert is not None:
        return _continue(state, state.alert, detector, score, score.threshold, decision, confirmations)
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
    raised = (*state.raised, (opened.alert_id, decision.episode))[-_MAX_RAISED:]
    alert = _revision(opened, "opened", detector, score, score.threshold, confirmations)
    return AlertLifecycle(alert=opened, raised=raised), alert


def as_recorded(before: AlertLifecycle, after: AlertLifecycle, score: Score) -> AlertLifecycle:
    """The state after a window whose score was read back: the alert is what the score records.

    A decision that is repeated from less history than the first, or under another budget, may open and close alerts at
    other windows. What was sent counts.

    Args:
        before: the state before the window.
        after: by the repeated decision.
        score: as stored; see :attr:`schemas.score.Score.alert`.
    """
    sent = score.alert
    if sent is None:
        as_before = _identity(before.alert) == _identity(after.alert)
        return after if as_before else AlertLifecycle(before.alert, before.raised)
    if sent.state == "closed":
        return AlertLifecycle(None, after.raised if after.alert is None else before.raised)
    if after.alert is not None and _identity(after.alert) == (sent.alert_id, sent.revision):
        return after
    raised = before.raised
    if sent.alert_id not in {alert_id for alert_id, _ in raised}:
        episode = 0 if score.explanation is None else score.explanation.episode
        raised = (*raised, (sent.alert_id, episode))[-_MAX_RAISED:]
    return AlertLifecycle(open_alert_of(sent), raised)


def open_alert_of(alert: Alert) -> OpenAlert:
    """The open alert of a revision that was sent, ``opened`` or ``updated``."""
    return OpenAlert(
        alert_id=alert.alert_id,
        session_id=alert.opened_session_id,
        first_sample=alert.opened_first_sample,
        captured_ns=alert.opened_ns,
        revision=alert.revision,
        peak=alert.peak_score,
        severity=alert.severity,
        kind=alert.kind,
    )


def _identity(alert: OpenAlert | None) -> tuple[str, int] | None:
    return None if alert is None else (alert.alert_id, alert.revision)


def _continue(
    state: AlertLifecycle,
    alert: OpenAlert,
    detector: Detector,
    score: Score,
    threshold: float,
    decision: Decision,
    confirmations: int,
) -> tuple[AlertLifecycle, Alert | None]:
    is_critical = "critical" in (alert.severity, _severity(decision))
    by_level = "level" in (alert.kind, decision.kind)
    # After a change of model the episodes start over: then quiet alone closes the alert.
    is_quiet = decision.alert == "none" and not decision.exceeds
    after = alert._replace(
        peak=max(alert.peak, score.score),
        severity="critical" if is_critical else "warning",
        kind="level" if by_level else "peak",
        quiet_ns=alert.quiet_ns + score.hop_ns if is_quiet else 0,
        since_update_ns=alert.since_update_ns + score.hop_ns,
    )
    closes = decision.alert == "closes" or after.quiet_ns >= detector.release_ns
    grew = after.severity != alert.severity or after.kind != alert.kind or decision.alert == "opens"
    due = after.since_update_ns >= detector.update_ns and decision.exceeds
    if not (closes or grew or due):
        return state._replace(alert=after), None
    after = after._replace(revision=after.revision + 1, since_update_ns=0)
    revision = _revision(after, "closed" if closes else "updated", detector, score, threshold, confirmations)
    raised = (*state.raised, (after.alert_id, decision.episode)) if decision.alert == "opens" else state.raised
    return AlertLifecycle(alert=None if closes else after, raised=raised[-_MAX_RAISED:]), revision


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
    confirmations: int,
) -> Alert:
    explanation = score.explanation
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
        confirmations=confirmations,
        window_count=detector.window_count,
        kind=alert.kind,
        level=None if explanation is None or explanation.level_threshold is None else explanation.level,
        level_threshold=None if explanation is None else explanation.level_threshold,
        p_value=None if explanation is None else explanation.p_value,
        threshold_state=score.threshold_state,
        calibration_progress=None if explanation is None else explanation.calibration_progress,
        degraded=score.degraded,
        model=score.model,
        summary=_summary(alert, state, detector, score, threshold),
    )


def _summary(alert: OpenAlert, state: AlertState, detector: Detector, score: Score, threshold: float) -> str:
    explanation = score.explanation
    peak = score_text(alert.peak)
    reason = f"score {score_text(score.score)}, threshold {score_text(threshold)}, peak {peak}"
    if alert.kind == "level" and explanation is not None and explanation.level_threshold is not None:
        level, limit = score_text(explanation.level), score_text(explanation.level_threshold)
        reason = f"the minute is {level} above usual, limit {limit}, peak {peak}"
    calibrating = ""
    if score.threshold_state != "ready" and explanation is not None:
        calibrating = f", calibrating ({explanation.calibration_progress:.0%})"
    start = score.first_sample / score.sample_rate
    return (
        f"{detector.title} {'over' if state == 'closed' else 'at'} {score.device_id}: {reason}{calibrating}, "
        f"{start:.1f} s into the session"
    )
