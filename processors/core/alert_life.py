"""An alert's life: m of n windows open it, it is updated while it lasts, quiet windows close it."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from processors.core.detectors import Detector
from processors.core.threshold import Limit
from schemas.alert import Alert, AlertState, AudioSpan, Band, Severity
from schemas.identity import alert_id
from schemas.score import Score


class OpenAlert(BaseModel):
    """The alert that is open.

    Attributes:
        alert_id, session_id, first_sample, captured_ns: of the window that opened it.
        revision: of the last record sent.
        peak: largest score so far.
        severity: so far; it never falls.
        quiet: consecutive windows below.
        since_update: windows since the last record.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    alert_id: str
    session_id: str
    first_sample: int
    captured_ns: int
    revision: int
    peak: float
    severity: Severity
    quiet: int
    since_update: int


class LifeState(BaseModel):
    """What is remembered between windows.

    Attributes:
        recent: the latest windows, one bit each, the newest lowest; 1 is above the threshold.
        alert: the open alert, or None.
    """

    model_config = ConfigDict(frozen=True)

    recent: int = 0
    alert: OpenAlert | None = None


class Evidence(BaseModel):
    """What an alert shows besides numbers.

    Attributes:
        bands: mel bands that explain the score, largest first.
        audio: where the sound lies, or None.
    """

    model_config = ConfigDict(frozen=True)

    bands: tuple[Band, ...]
    audio: AudioSpan | None


def live(
    state: LifeState, detector: Detector, score: Score, limit: Limit, evidence: Callable[[], Evidence]
) -> tuple[LifeState, Alert | None]:
    """One window later.

    Args:
        state: before.
        detector: its confirmation, hysteresis and release.
        score: of the window.
        limit: what it was compared with.
        evidence: called only where an alert record is made.

    Returns:
        The state after, and the alert's new revision where there is one.
    """
    recent = (state.recent << 1 | score.exceeds) & ((1 << detector.among) - 1)
    if score.threshold is None:
        return LifeState(recent=0, alert=state.alert), None
    if state.alert is None:
        if recent.bit_count() < detector.confirm:
            return LifeState(recent=recent), None
        opened = OpenAlert(
            alert_id=alert_id(score.device_id, score.detector, score.session_id, score.first_sample, score.n_samples),
            session_id=score.session_id,
            first_sample=score.first_sample,
            captured_ns=score.captured_ns,
            revision=0,
            peak=score.score,
            severity=_severity(score.score, score.threshold, limit.margin),
            quiet=0,
            since_update=0,
        )
        alert = _revision(opened, "opened", detector, score, score.threshold, recent, evidence())
        return LifeState(recent=recent, alert=opened), alert
    return _go_on(state.alert, recent, detector, score, score.threshold, limit.margin, evidence)


def _go_on(
    alert: OpenAlert,
    recent: int,
    detector: Detector,
    score: Score,
    threshold: float,
    margin: float,
    evidence: Callable[[], Evidence],
) -> tuple[LifeState, Alert | None]:
    below = score.score <= threshold - detector.hysteresis * margin
    severe = "critical" in (alert.severity, _severity(score.score, threshold, margin))
    changes = {
        "peak": max(alert.peak, score.score),
        "severity": "critical" if severe else "warning",
        "quiet": alert.quiet + 1 if below else 0,
        "since_update": alert.since_update + 1,
    }
    after = alert.model_copy(update=changes)
    closes = after.quiet >= detector.release
    worse = after.severity != alert.severity
    due = after.since_update >= detector.update_every and not below
    if not (closes or worse or due):
        return LifeState(recent=recent, alert=after), None
    after = after.model_copy(update={"revision": after.revision + 1, "since_update": 0})
    state: AlertState = "closed" if closes else "updated"
    revision = _revision(after, state, detector, score, threshold, recent, evidence())
    # Confirmation begins anew after an alert, so that its own last windows cannot open the next.
    return (LifeState() if closes else LifeState(recent=recent, alert=after)), revision


def _severity(score: float, threshold: float, margin: float) -> Severity:
    return "critical" if score - threshold >= margin else "warning"


def _revision(
    alert: OpenAlert,
    state: AlertState,
    detector: Detector,
    score: Score,
    threshold: float,
    recent: int,
    evidence: Evidence,
) -> Alert:
    start = score.first_sample / score.sample_rate
    summary = (
        f"{detector.title} {'over' if state == 'closed' else 'at'} {score.device_id}: score {score.score:.2f}, "
        f"threshold {threshold:.2f}, peak {alert.peak:.2f}, {start:.1f} s into the session"
    )
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
        confirmations=recent.bit_count(),
        window_count=detector.among,
        threshold_state=score.threshold_state,
        degraded=score.degraded,
        bands=evidence.bands,
        audio=evidence.audio,
        model=score.model,
        summary=summary,
    )
