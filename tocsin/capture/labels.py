"""What a clip may be taken for: alerts cast doubt on sound, operators' verdicts settle it."""

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
        begin_ns, end_ns: nanoseconds since 1970, both included; an alert that was never closed has no end.
        judgement: what the newest verdict says, or None.
    """

    alert_id: str
    begin_ns: int
    end_ns: int
    judgement: Judgement | None

    def touches(self, clip: Clip, guard_ns: int = 0) -> bool:
        """Whether a clip has sound of this time, or of ``guard_ns`` around it."""
        return self.begin_ns - guard_ns < clip.end_ns and clip.captured_ns <= self.end_ns + guard_ns


def alert_intervals_of(log: AlertLog) -> dict[str, list[AlertInterval]]:
    """By device, when its alerts were open. One whose end was lost ends where the same detector's next one opened."""
    openings: dict[str, list[int]] = {}
    for revisions in log.alerts():
        openings.setdefault(revisions[0].dedup_key, []).append(revisions[0].opened_ns)
    doubts: dict[str, list[AlertInterval]] = {}
    for revisions in log.alerts():
        first = revisions[0]
        given = log.verdict(first.alert_id)
        end = _end_ns(revisions, openings[first.dedup_key])
        judgement = None if given is None else given.judgement
        doubts.setdefault(first.device_id, []).append(AlertInterval(first.alert_id, first.opened_ns, end, judgement))
    return doubts


def label(clip: Clip, doubts: Iterable[AlertInterval], guard_ns: int) -> LabelledClip | None:
    """What a clip is taken for; None where it must be left out.

    Sound inside an alert judged real is abnormal. Sound inside or near any other alert is left out, for nobody knows
    what it is, unless the alert was judged false: then it is normal, and inside the alert a hard negative.

    Args:
        clip: the clip.
        doubts: of its device.
        guard_ns: how near is near, nanoseconds before the alert opened and after it closed.
    """
    real: list[str] = []
    false: list[str] = []
    doubtful = False
    for doubt in doubts:
        inside = doubt.touches(clip)
        if doubt.judgement == "false-alarm":
            if inside:
                false.append(doubt.alert_id)
        elif inside and doubt.judgement == "real":
            real.append(doubt.alert_id)
        elif doubt.touches(clip, guard_ns):
            doubtful = True
    if real:
        return LabelledClip(clip=clip, label="abnormal", alerts=tuple(sorted(real)))
    if doubtful:
        return None
    return LabelledClip(clip=clip, label="normal", hard_negative=bool(false), alerts=tuple(sorted(false)))


def _end_ns(revisions: Sequence[Alert], openings: Iterable[int]) -> int:
    if revisions[-1].state == "closed":
        return revisions[-1].captured_ns
    return min((ns for ns in openings if ns > revisions[0].opened_ns), default=_NEVER_NS)
