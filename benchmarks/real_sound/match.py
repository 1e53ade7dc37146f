"""Matches alarms to events and computes recall, delay and false alarms."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schemas.score import Score

DAY_S = 86_400.0
NO_EVENT = "no event"
_SHOWN_ALARMS = 20
_SHOWN_HOURS = (0, 1, 2, 4, 8, 16, 24, 48)


@dataclass(slots=True)
class Alarm:
    """An episode of the rule.

    Attributes:
        opened_s, last_s: observed time at the end of its first and of its last window so far.
        alerted: whether an alert was raised; the daily budget suppresses alerts beyond it.
        by_level: whether the minute's level opened it, not a single score.
    """

    opened_s: float
    last_s: float
    alerted: bool
    by_level: bool = False


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event in seconds of observed time.

    Attributes:
        kind: its name.
        wanted: whether an alert is correct.
        start_s, end_s: observed time.
    """

    kind: str
    wanted: bool
    start_s: float
    end_s: float


@dataclass(slots=True)
class DetectionLog:
    """Scores and alarms of a run.

    Attributes:
        times, scores, thresholds: of each window; times are observed seconds at its end, thresholds NaN if not known.
        alarms: in order of time.
        notices: number of drift notices.
    """

    times: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    notices: int = 0
    _episode: int = 0

    def add(self, score: Score, session_s: float) -> None:
        """Adds one window's score; the session began at ``session_s``."""
        at = session_s + score.end_sample / score.sample_rate
        self.times.append(at)
        self.scores.append(score.score)
        self.thresholds.append(float("nan") if score.threshold is None else score.threshold)
        explanation = score.explanation
        episode = 0 if explanation is None else explanation.episode
        if explanation is not None and episode:
            if episode != self._episode:
                self.alarms.append(Alarm(at, at, explanation.suppressed != "budget", explanation.kind == "level"))
            self.alarms[-1].last_s = at
        self._episode = episode


def figures_of(log: DetectionLog, events: Sequence[TimedEvent], grace_s: float, hours: float) -> dict[str, Any]:
    """Recall and delay of wanted events; false alarms by day and by event kind.

    An alarm belongs to the event during which it opens, or up to ``grace_s`` after it. An event for which no
    alarm opened is missed, even if an earlier alarm was still open; such events are counted in ``open_before``.

    Args:
        log: of the whole run.
        events: in order, no two within ``grace_s``.
        grace_s: how long a window may still hold an event after its end.
        hours: total observed time.
    """
    first: dict[int, Alarm] = {}
    false: list[tuple[Alarm, str]] = []
    starts = [one.start_s for one in events]
    for alarm in log.alarms:
        number = bisect_left(starts, alarm.opened_s) - 1
        inside = number >= 0 and alarm.opened_s <= events[number].end_s + grace_s
        if inside:
            first.setdefault(number, alarm)
        if not (inside and events[number].wanted):
            false.append((alarm, events[number].kind if inside else NO_EVENT))
    return {
        "hours": hours,
        "windows": len(log.times),
        "false_alarms": {
            "first_24_h_a_day": _a_day(false, 0.0, min(hours, 24.0)),
            "after_a_day": _a_day(false, 24.0, hours) if hours > 24.0 else None,
            "by": dict(Counter(kind for _, kind in false).most_common()),
            "first_at_h": [round(alarm.opened_s / 3_600.0, 4) for alarm, _ in false[:_SHOWN_ALARMS]],
            "without_event_a_day": _a_day([one for one in false if one[1] == NO_EVENT], 0.0, hours),
        },
        "wanted": {kind: _of_kind(log, events, first, kind) for kind in _kinds(events, wanted=True)},
        "harmless": {
            kind: [sum(events[n].kind == kind for n in first), sum(one.kind == kind for one in events)]
            for kind in _kinds(events, wanted=False)
        },
        "found_by_hour": _by_hour(events, first),
        "usual_score": _median(log.scores),
        "threshold_by_hour": _thresholds(log),
        "drift_notices": log.notices,
    }


def _a_day(false: Sequence[tuple[Alarm, str]], start_h: float, end_h: float) -> dict[str, float]:
    """Alarms and alerts a day within an interval; alarms beyond the daily budget raise no alert."""
    inside = [alarm for alarm, _ in false if start_h <= alarm.opened_s / 3_600.0 < end_h]
    days = (end_h - start_h) * 3_600.0 / DAY_S
    return {"alarms": round(len(inside) / days, 2), "alerts": round(sum(alarm.alerted for alarm in inside) / days, 2)}


def _of_kind(log: DetectionLog, events: Sequence[TimedEvent], first: dict[int, Alarm], kind: str) -> dict[str, Any]:
    numbers = [number for number, one in enumerate(events) if one.kind == kind]
    found = [number for number in numbers if number in first]
    missed = [events[number] for number in numbers if number not in first]
    delays = [first[number].opened_s - events[number].start_s for number in found]
    scores, thresholds = [], []
    for number in numbers:
        low, high = (bisect_left(log.times, at) for at in (events[number].start_s, events[number].end_s))
        scores += log.scores[low:high]
        thresholds += log.thresholds[low : low + 1]
    by_level = sum(first[number].by_level for number in found)
    return {
        "events": len(numbers),
        "found": len(found),
        **({"by_level": by_level} if by_level else {}),
        "alerts": sum(first[number].alerted for number in found),
        "open_before": sum(any(a.opened_s < one.start_s <= a.last_s for a in log.alarms) for one in missed),
        "median_delay_s": round(statistics.median(delays), 2) if delays else None,
        "delays_s": [round(delay, 1) for delay in delays],
        "median_score": _median(scores),
        "median_threshold": _median(thresholds),
    }


def _by_hour(events: Sequence[TimedEvent], first: dict[int, Alarm]) -> dict[str, list[int]]:
    """Wanted events found, and all wanted events, by intervals of six hours."""
    found: dict[str, list[int]] = {}
    for number, one in enumerate(events):
        if one.wanted:
            hour = int(one.start_s // 21_600) * 6
            pair = found.setdefault(f"{hour} to {hour + 6} h", [0, 0])
            pair[0] += number in first
            pair[1] += 1
    return found


def _thresholds(log: DetectionLog) -> dict[str, float | None]:
    """Thresholds after some hours of observed time; None without a threshold."""
    found = {}
    for hour in _SHOWN_HOURS:
        if (at := bisect_left(log.times, hour * 3_600.0)) < len(log.times):
            found[str(hour)] = None if np.isnan(log.thresholds[at]) else round(log.thresholds[at], 3)
    return found


def _kinds(events: Sequence[TimedEvent], *, wanted: bool) -> list[str]:
    return sorted({one.kind for one in events if one.wanted == wanted})


def _median(values: Sequence[float]) -> float | None:
    known = np.asarray(values)[~np.isnan(values)] if len(values) else np.empty(0)
    return round(float(np.median(known)), 3) if len(known) else None
