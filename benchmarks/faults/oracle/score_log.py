"""The scores topic, each record once, and what was sent again with other content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.oracle.evidence import Message

Key = tuple[str, str]
"""Device and detector."""


@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """One window's score as it was first sent.

    Attributes:
        at_ms: the broker's time.
        fields: of the record's JSON.
    """

    at_ms: int
    fields: dict[str, Any]

    @property
    def place(self) -> tuple[str, str, str, int]:
        """Device, detector, session and first sample."""
        one = self.fields
        return one["device_id"], one["detector"], one["session_id"], one["first_sample"]

    @property
    def end(self) -> int:
        """One past the window's last sample."""
        return int(self.fields["first_sample"]) + int(self.fields["n_samples"])


@dataclass(slots=True)
class EventLog:
    """Records of one topic by event id.

    Attributes:
        first: the first record of each id, in the order of the topic.
        records: how many there are in all.
        differing: ids whose later records differ from the first, with what differs.
    """

    first: dict[str, Message] = field(default_factory=dict)
    records: int = 0
    differing: dict[str, str] = field(default_factory=dict)


def event_log(messages: Iterable[Message]) -> EventLog:
    """Sorts a topic's records by their ``ce_id``: what is sent again must be equal, or carry a higher revision."""
    log = EventLog()
    newest: dict[str, Message] = {}
    for message in messages:
        log.records += 1
        event_id = (dict(message.headers).get("ce_id") or b"").decode(errors="replace")
        known = newest.get(event_id)
        newest[event_id] = message
        if known is None:
            log.first[event_id] = message
        elif (message.value, message.key, message.headers) != (known.value, known.key, known.headers):
            if _resent(message) > _resent(known):
                continue
            log.differing.setdefault(event_id, _difference(known, message))
    return log


def read_scores(log: EventLog) -> list[ScoreRecord]:
    """The scores, each once, in the order of the topic."""
    return [ScoreRecord(message.at_ms, json.loads(message.value or b"{}")) for message in log.first.values()]


def by_detector(scores: Sequence[ScoreRecord], stage: str = "champion") -> dict[Key, list[ScoreRecord]]:
    """The scores of one stage by device and detector."""
    found: dict[Key, list[ScoreRecord]] = {}
    for score in scores:
        if score.fields.get("stage", "champion") == stage:
            found.setdefault((score.fields["device_id"], score.fields["detector"]), []).append(score)
    return found


def _resent(message: Message) -> int:
    # A repeat that differs says so in a revision of its own; alerts have theirs in their id already.
    fields = json.loads(message.value or b"{}")
    return int(fields.get("revision", 0)) if isinstance(fields, dict) else 0


def _difference(one: Message, other: Message) -> str:
    if one.value == other.value:
        return "other key or headers"
    before, after = json.loads(one.value or b"{}"), json.loads(other.value or b"{}")
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return ", ".join(f"{name} {before.get(name)!r:.60} then {after.get(name)!r:.60}" for name in names) or "other bytes"
