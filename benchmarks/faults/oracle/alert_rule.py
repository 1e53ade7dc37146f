"""The visible part of the alert rule: what a device's scores, in order, say must have been opened and closed.

A score says which episode it belongs to, what exceeds, and what was suppressed (``explanation``). From these alone:

* an episode that appears for the first time and is not suppressed opens an alert, or updates the open one;
* the last score of an episode closes the alert, and so do ``release_s`` of sound outside of episodes;
* an update follows when a level exceeds for the first time, and after ``update_s`` while a score exceeds. One may also
  follow when the severity rises, which needs the device's usual score, and no score carries that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.oracle.score_log import ScoreRecord

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """A revision that the scores imply.

    Attributes:
        score: of the window behind it.
        alert: number of the alert: 0, 1, ...
        revision: 0, 1, ...
        state: ``opened``, ``updated`` or ``closed``.
        optional: whether the scores leave open if it was sent: the last one before the sound or the model ends.
    """

    score: ScoreRecord
    alert: int
    revision: int
    state: str
    optional: bool = False


@dataclass(slots=True)
class _Open:
    number: int
    revision: int = 0
    kind: str = "peak"
    severity: str = "warning"
    quiet_ns: int = 0
    since_ns: int = 0


@dataclass(slots=True)
class AlertRule:
    """Goes through the scores of one device and detector in order.

    Attributes:
        detector: its description: ``release_s``, ``update_s``.
        severities: severity of the record behind each window, by session and first sample; the one thing that is taken
            from the alerts themselves.
        closed_at: windows behind a ``closed`` record, for steps that the scores leave open.
        elsewhere: highest episode by model that the other stage's scores had shown.
    """

    detector: Mapping[str, Any]
    severities: Mapping[tuple[str, int], str]
    closed_at: frozenset[tuple[str, int]]
    steps: list[Step] = field(default_factory=list)
    _episodes: dict[str, int] = field(default_factory=dict)
    _open: _Open | None = None
    _alerts: int = 0

    def run(self, scores: Sequence[ScoreRecord]) -> list[Step]:
        """The revisions that the scores imply.

        Args:
            scores: of champions, in the order of the sound.
        """
        for number, score in enumerate(scores):
            self._apply(score, scores[number + 1] if number + 1 < len(scores) else None)
        return self.steps

    @property
    def is_open(self) -> bool:
        """Whether an alert is open after the last score."""
        return self._open is not None

    def _apply(self, score: ScoreRecord, following: ScoreRecord | None) -> None:
        fields = score.fields
        why = fields["explanation"]
        episode = why["episode"] if not why["suppressed"] else 0
        model = fields["model"]["sha256"]
        opens = episode > self._episodes.get(model, 0)
        self._episodes[model] = max(self._episodes.get(model, 0), why["episode"])
        if fields["threshold"] is None:
            return
        if self._open is None:
            if opens:
                self._open = _Open(self._alerts, kind=why["kind"], severity=self._severity(score, "warning"))
                self._alerts += 1
                self.steps.append(Step(score, self._open.number, 0, "opened"))
            return
        self._continue(self._open, score, following, episode=episode, opens=opens)

    def _continue(
        self, alert: _Open, score: ScoreRecord, following: ScoreRecord | None, *, episode: int, opens: bool
    ) -> None:
        fields = score.fields
        why = fields["explanation"]
        exceeds = _exceeds(fields)
        alert.quiet_ns = alert.quiet_ns + fields["hop_ns"] if not episode and not exceeds else 0
        alert.since_ns += fields["hop_ns"]
        released = alert.quiet_ns >= self.detector["release_s"] * _SECOND_NS
        ends = ends_for_sure = False
        if episode and not opens:
            same_model = following is not None and following.fields["model"] == fields["model"]
            over = following is not None and following.fields["explanation"]["episode"] != episode
            ends_for_sure = same_model and over
            # Nothing, or another model, follows: whether this score closed the alert shows in the alerts alone.
            ends = ends_for_sure or (not same_model and _place(score) in self.closed_at)
        severity = self._severity(score, alert.severity)
        kind = "level" if "level" in (alert.kind, why["kind"]) else alert.kind
        grew = severity != alert.severity or kind != alert.kind or opens
        due = alert.since_ns >= self.detector["update_s"] * _SECOND_NS and exceeds
        alert.severity, alert.kind = severity, kind
        if not (released or ends or grew or due):
            return
        alert.revision += 1
        alert.since_ns = 0
        closes = released or ends
        optional = ends and not ends_for_sure and not released
        state = "closed" if closes else "updated"
        self.steps.append(Step(score, alert.number, alert.revision, state, optional=optional))
        if closes:
            self._open = None

    def _severity(self, score: ScoreRecord, before: str) -> str:
        return "critical" if "critical" in (before, self.severities.get(_place(score))) else "warning"


def _place(score: ScoreRecord) -> tuple[str, int]:
    return score.fields["session_id"], score.fields["first_sample"]


def _exceeds(fields: Mapping[str, Any]) -> bool:
    why = fields["explanation"]
    peak = why["confirmed"] is not None and why["confirmed"] > fields["threshold"]
    return bool(peak or (why["level_threshold"] is not None and why["level"] > why["level_threshold"]))
