"""Records whose every text is hostile to a terminal, valid by the contract or not."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.artefact import Artefact
from schemas.assignment import Assignment, ModelStatus
from schemas.cloudevents import MAX_NS
from schemas.event import Event
from schemas.feedback import AlertFeedback
from schemas.health_notice import HealthNotice
from schemas.notice import Notice
from schemas.policy import Policy
from schemas.record import Record
from schemas.topics import ALERTS, DEVICES, FEEDBACK, MODEL_STATUS, MODELS, NOTICES, POLICIES, SCORES, Topic
from tests.unit.schemas.records import ALERT, DAY_NS, DEVICE, MODEL, SCORE

ATTACKS = (
    "[/g]", "[/x]", "[bold red]", "[link=http://x]here[/link]", ":boom:",
    "\x1b[31mred", "\x1b]0;owned\x07", "\x9b31m", "\x85", "\x7f", "\x00", "\r2026-01-01 00:00:00Z  opened",
    "a\n2026-01-01 00:00:00Z  opened   critical  forged", "\u2028forged", "\u202eevil", "\u200b", "\ufeff",
    "\U000e0041", "$\\frac{1}{", "{0}", "%s",
    "'\"\\", "\t", "a" * 500,
)  # fmt: skip
TEXTS = st.sampled_from(ATTACKS) | st.text(max_size=20)
_TIMES = st.sampled_from([0, 1, DAY_NS, MAX_NS - 10**9, MAX_NS, MAX_NS + 1, -1])
_NUMBERS = st.sampled_from([0, -1, 1, 2**63, -1e300, 1e300, 5e-324])

ARTEFACT = Artefact(
    detector="machine", model_id="own", version="1", sha256="ab" * 32, size=1, url=f"file:///store/{'ab' * 32}.onnx",
    features_hash="0" * 64, signature="AA==", published_ns=DAY_NS,
)  # fmt: skip
ASSIGNMENT = Assignment(
    detector="machine", scope="all", champion=ARTEFACT, shadow=ARTEFACT, previous=(ARTEFACT,), revision=3, note="new",
    announced_ns=DAY_NS,
)  # fmt: skip
STATUS = ModelStatus(
    worker="host-1", detector="machine", scope="all", revision=3, stage="champion", sha256="ab" * 32, version="1",
    state="refused", error="TooLarge", message="it is too large", at_ns=DAY_NS,
)  # fmt: skip
FEEDBACK_ON_ALERT = AlertFeedback(
    alert_id="a1", device_id="fan-1", detector="scream", judgement="real", note="yes", by="me", given_ns=DAY_NS
)
POLICY = Policy(detector="any", scope="all", false_alarms_per_week=1.0, note="quiet", set_ns=DAY_NS)
NOTICE = Notice(
    device_id="fan-1", detector="scream", session_id="s1", kind="drift", count=1, end_sample=5, captured_ns=DAY_NS,
    summary="the usual sound has moved",
)  # fmt: skip

HEALTH = HealthNotice(
    subject="fan-1", device_id="fan-1", kind="gap", count=2, seconds=1.5, at_ns=DAY_NS, summary="sound is missing"
)

EVENTS: tuple[tuple[Topic, Event], ...] = (
    (ALERTS, ALERT),
    (DEVICES, DEVICE),
    (FEEDBACK, FEEDBACK_ON_ALERT),
    (MODEL_STATUS, STATUS),
    (MODELS, ASSIGNMENT),
    (NOTICES, NOTICE),
    (NOTICES, HEALTH),
    (POLICIES, POLICY),
    (SCORES, SCORE),
)
assert ALERT.model == MODEL


def records() -> st.SearchStrategy[list[tuple[Topic, Record]]]:
    """Up to six records of any topics, each made of a valid one."""
    return st.lists(
        st.sampled_from(EVENTS).flatmap(lambda pair: st.tuples(st.just(pair[0]), _record(pair[1]))), max_size=6
    )


@st.composite
def _record(draw: st.DrawFn, event: Event) -> Record:
    # Often valid: one text in three and one number in ten is another.
    content = _changed(draw, event.model_dump(mode="json"), "")
    try:
        return type(event).model_validate(content).to_record()
    except (ValidationError, ValueError):
        plain = event.to_record()
        headers = tuple(
            (name, draw(TEXTS).encode(errors="replace") if draw(_rarely(8)) else value) for name, value in plain.headers
        )
        key = draw(TEXTS).encode(errors="replace") if draw(_rarely(3)) else plain.key
        return Record(key, json.dumps(content).encode(), headers)


def _rarely(times: int) -> st.SearchStrategy[bool]:
    return st.integers(1, times).map(lambda number: number == times)


def _changed(draw: st.DrawFn, value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _changed(draw, item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(draw, item, name) for item in value]
    free = name in (
        "summary",
        "note",
        "by",
        "description",
        "unit",
        "message",
        "error",
        "version",
        "name",
        "alert_id",
        "url",
        "worker",
    )
    if isinstance(value, str):
        return draw(TEXTS) if draw(_rarely(2 if free else 30)) else value
    if isinstance(value, int) and name.endswith("_ns"):
        return draw(_TIMES) if draw(_rarely(3)) else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return draw(_NUMBERS) if draw(_rarely(10)) else value
    return value
