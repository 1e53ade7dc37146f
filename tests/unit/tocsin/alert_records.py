"""Alerts and feedback for tests."""

from __future__ import annotations

import uuid

from schemas.alert import Alert, AudioSpan
from schemas.feedback import AlertFeedback, Judgement
from schemas.score import ModelRef

RATE = 16_000
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


def alert(
    device: str = "pump-1",
    at_s: float = 0.0,
    revision: int = 0,
    later_s: float = 0.0,
    state: str = "opened",
    detector: str = "machine",
) -> Alert:
    """A revision ``later_s`` seconds after the window at ``at_s`` that opened the alert."""
    opened = int(at_s * RATE)
    return Alert.model_validate(
        {
            "alert_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{device}/{detector}/{opened}")),
            "dedup_key": f"{device}/{detector}",
            "state": state,
            "revision": revision,
            "severity": "warning",
            "device_id": device,
            "detector": detector,
            "session_id": "s1",
            "opened_session_id": "s1",
            "opened_first_sample": opened,
            "first_sample": opened + int(later_s * RATE),
            "sample_rate": RATE,
            "opened_ns": START_NS + int(at_s * SECOND_NS),
            "captured_ns": START_NS + int((at_s + later_s) * SECOND_NS),
            "score": 9.0,
            "threshold": 8.0,
            "peak_score": 9.5,
            "confirmations": 3,
            "window_count": 4,
            "threshold_state": "ready",
            "audio": AudioSpan(topic="tocsin.audio.v1", partition=2, first_offset=10, last_offset=20),
            "model": ModelRef(name="tocsin-machine", version="0.1.0", sha256="0" * 64),
            "summary": f"Unusual sound at {device}",
        }
    )


def complete_alert(device: str, from_s: float, to_s: float) -> list[Alert]:
    """An alert that opened with the window at ``from_s`` and closed with the one at ``to_s``."""
    return [alert(device, from_s), alert(device, from_s, 1, to_s - from_s, "closed")]


def feedback(on: Alert, judgement: Judgement, given_s: float = 0.0, note: str = "") -> AlertFeedback:
    return AlertFeedback(
        alert_id=on.alert_id,
        device_id=on.device_id,
        detector=on.detector,
        judgement=judgement,
        note=note,
        given_ns=START_NS + int(given_s * SECOND_NS),
    )
