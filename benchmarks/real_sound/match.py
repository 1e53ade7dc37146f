"""Which alarms belong to which events, and what that says of a detector."""

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
NOTHING = "nothing put in"
_SHOWN_ALARMS = 20
_SHOWN_HOURS = (0, 1, 2, 4, 8, 16, 24, 48)


@dataclass(slots=True)
class Alarm:
    """An episode of the rule.

    Attributes:
        opened_s, last_s: heard time at the end of its first and of its last window so far.
        told: whether an alert was raised; the day's budget keeps back what is beyond it.
        by_level: whether the minute's level opened it, and not single scores.
    """

    opened_s: float
    last_s: float
    told: bool
    by_level: bool = False


@dataclass(frozen=True, slots=True)
class Happening:
    """An event in seconds of heard sound.

    Attributes:
        kind: what.
        wanted: whether an alert is right.
        start_s, end_s: when.
    """

    kind: str
    wanted: bool
    start_s: float
    end_s: float


@dataclass(slots=True)
class Log:
    """What a detector said over a run.

    Attributes:
        times, scores, thresholds: of each window: heard seconds at its end; NaN where there was no threshold.
        alarms: in order.
        notices: of drift.
    """

    times: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    notices: int = 0
    _episode: int = 0

    def add(self, score: Score, session_s: float) -> None:
        """One window's score; the session began at ``session_s``."""
        at = session_s + score.end_sample / score.sample_rate
        self.times.append(at)
        self.scores.append(score.score)
        self.thresholds.append(float("nan") if score.threshold is None else score.threshold)
        why = score.explanation
        episode = 0 if why is None else why.episode
        if why is not None and episode:
            if episode != self._episode:
                self.alarms.append(Alarm(at, at, why.suppressed != "budget", why.kind == "level"))
            self.alarms[-1].last_s = at
        self._episode = episode


def figures_of(log: Log, happenings: Sequence[Happening], grace_s: float, hours: float) -> dict[str, Any]:
    """Recall and delay of wanted events; false alarms by day and by what was heard.

    An alarm belongs to the event during which it opens, or up to ``grace_s`` after it. An event that none opened for
    is missed, even when an earlier alarm was still open then; such events are counted in ``open_before``.

    Args:
        log: of the whole run.
        happenings: in order, no two within ``grace_s``.
        grace_s: how long a window may still hold an event after its end.
        hours: heard in all.
    """
    first: dict[int, Alarm] = {}
    false: list[tuple[Alarm, str]] = []
    starts = [one.start_s for one in happenings]
    for alarm in log.alarms:
        number = bisect_left(starts, alarm.opened_s) - 1
        inside = number >= 0 and alarm.opened_s <= happenings[number].end_s + grace_s
        if inside:
            first.setdefault(number, alarm)
        if not (inside and happenings[number].wanted):
            false.append((alarm, happenings[number].kind if inside else NOTHING))
    return {
        "hours": hours,
        "windows": len(log.times),
        "false_alarms": {
            "first_24_h_a_day": _a_day(false, 0.0, min(hours, 24.0)),
            "after_a_day": _a_day(false, 24.0, hours) if hours > 24.0 else None,
            "by": dict(Counter(kind for _, kind in false).most_common()),
            "first_at_h": [round(alarm.opened_s / 3_600.0, 4) for alarm, _ in false[:_SHOWN_ALARMS]],
            "nothing_put_in_a_day": _a_day([one for one in false if one[1] == NOTHING], 0.0, hours),
        },
        "wanted": {kind: _of_kind(log, happenings, first, kind) for kind in _kinds(happenings, wanted=True)},
        "harmless": {
            kind: [sum(happenings[n].kind == kind for n in first), sum(one.kind == kind for one in happenings)]
            for kind in _kinds(happenings, wanted=False)
        },
        "found_by_hour": _by_hour(happenings, first),
        "usual_score": _median(log.scores),
        "threshold_by_hour": _thresholds(log),
        "drift_notices": log.notices,
    }


def _a_day(false: Sequence[tuple[Alarm, str]], start_h: float, end_h: float) -> dict[str, float]:
    """Alarms and alerts a day within some hours; the budget makes the difference."""
    inside = [alarm for alarm, _ in false if start_h <= alarm.opened_s / 3_600.0 < end_h]
    days = (end_h - start_h) * 3_600.0 / DAY_S
    return {"alarms": round(len(inside) / days, 2), "alerts": round(sum(alarm.told for alarm in inside) / days, 2)}


def _of_kind(log: Log, happenings: Sequence[Happening], first: dict[int, Alarm], kind: str) -> dict[str, Any]:
    numbers = [number for number, one in enumerate(happenings) if one.kind == kind]
    found = [number for number in numbers if number in first]
    missed = [happenings[number] for number in numbers if number not in first]
    delays = [first[number].opened_s - happenings[number].start_s for number in found]
    scores, thresholds = [], []
    for number in numbers:
        low, high = (bisect_left(log.times, at) for at in (happenings[number].start_s, happenings[number].end_s))
        scores += log.scores[low:high]
        thresholds += log.thresholds[low : low + 1]
    by_level = sum(first[number].by_level for number in found)
    return {
        "events": len(numbers),
        "found": len(found),
        **({"by_level": by_level} if by_level else {}),
        "told": sum(first[number].told for number in found),
        "open_before": sum(any(a.opened_s < one.start_s <= a.last_s for a in log.alarms) for one in missed),
        "median_delay_s": round(statistics.median(delays), 2) if delays else None,
        "median_score": _median(scores),
        "median_threshold": _median(thresholds),
    }


def _by_hour(happenings: Sequence[Happening], first: dict[int, Alarm]) -> dict[str, list[int]]:
    """Wanted events found, and all of them, by the six hours they lie in."""
    found: dict[str, list[int]] = {}
    for number, one in enumerate(happenings):
        if one.wanted:
            hour = int(one.start_s // 21_600) * 6
            pair = found.setdefault(f"{hour} to {hour + 6} h", [0, 0])
            pair[0] += number in first
            pair[1] += 1
    return found


def _thresholds(log: Log) -> dict[str, float | None]:
    """Thresholds when some hours have been heard; None where there was none."""
    found = {}
    for hour in _SHOWN_HOURS:
        if (at := bisect_left(log.times, hour * 3_600.0)) < len(log.times):
            found[str(hour)] = None if np.isnan(log.thresholds[at]) else round(log.thresholds[at], 3)
    return found


def _kinds(happenings: Sequence[Happening], *, wanted: bool) -> list[str]:
    return sorted({one.kind for one in happenings if one.wanted == wanted})


def _median(values: Sequence[float]) -> float | None:
    known = np.asarray(values)[~np.isnan(values)] if len(values) else np.empty(0)
    return round(float(np.median(known)), 3) if len(known) else None
