"""Labels of clips: sound near an alert is ambiguous until an operator gives feedback."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.alert import Alert
from schemas.feedback import Judgement
from tocsin.capture.clip import Clip, LabelledClip
from tocsin.client.alerts import AlertLog

_NEVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AlertInterval:
    """The time an alert was open, by the device's clock.

    Attributes:
        alert_id: its id.
        begin_ns, end_ns: nanoseconds since 1970, both included; a far future end for an alert that was never closed.
        judgement: of the latest feedback, or None.
    """

    alert_id: str
    begin_ns: int
    end_ns: int
    judgement: Judgement | None

    def touches(self, clip: Clip, guard_ns: int = 0) -> bool:
        """Whether a clip overlaps this time, or ``guard_ns`` around it."""
        return self.begin_ns - guard_ns < clip.end_ns and clip.captured_ns <= self.end_ns + guard_ns


def alert_intervals_of(log: AlertLog) -> dict[str, list[AlertInterval]]:
    """The intervals of every device's alerts. One whose end was lost ends where the same detector's next one opened."""
    openings: dict[str, list[int]] = {}
    for revisions in log.alerts():
        openings.setdefault(revisions[0].dedup_key, []).append(revisions[0].opened_ns)
    intervals: dict[str, list[AlertInterval]] = {}
    for revisions in log.alerts():
        first = revisions[0]
        given = log.latest_feedback(first.alert_id)
        end = _end_ns(revisions, openings[first.dedup_key])
        judgement = None if given is None else given.judgement
        intervals.setdefault(first.device_id, []).append(AlertInterval(first.alert_id, first.opened_ns, end, judgement))
    return intervals


def label(clip: Clip, intervals: Iterable[AlertInterval], guard_ns: int) -> LabelledClip | None:
    """Labels a clip; None if it must be left out.

    Sound during an alert judged real is abnormal. Sound during or near any other alert is ambiguous and left out,
    unless the alert was a false alarm: then it is normal, and during the alert a hard negative.

    Args:
        clip: the clip.
        intervals: alerts of its device.
        guard_ns: time before an alert opened and after it closed that counts as near, nanoseconds.
    """
    real: list[str] = []
    false: list[str] = []
    ambiguous = False
    for interval in intervals:
        inside = interval.touches(clip)
        if interval.judgement == "false-alarm":
            if inside:
                false.append(interval.alert_id)
        elif inside and interval.judgement == "real":
            real.append(interval.alert_id)
        elif interval.touches(clip, guard_ns):
            ambiguous = True
    if real:
        return LabelledClip(clip=clip, label="abnormal", alerts=tuple(sorted(real)))
    if ambiguous:
        return None
    return LabelledClip(clip=clip, label="normal", hard_negative=bool(false), alerts=tuple(sorted(false)))


def _end_ns(revisions: Sequence[Alert], openings: Iterable[int]) -> int:
    if revisions[-1].state == "closed":
        return revisions[-1].captured_ns
    return min((ns for ns in openings if ns > revisions[0].opened_ns), default=_NEVER_NS)
