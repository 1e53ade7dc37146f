"""The health log: what is wrong with devices' sound, as notices of a bounded rate."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.health_notice import MAX_SUMMARY, HealthKind, HealthNotice

INTERVAL_MS = 300_000
"""Between two notices of one kind on one subject, by the broker's clock, milliseconds."""
MAX_SUBJECTS = 10_000
"""Subjects and kinds remembered at a time; what is beyond is in the metrics alone."""


_OF_NO_DEVICE = ("records_lost", "records_refused", "store_away")


@dataclass(slots=True)
class _Entry:
    next_ms: int = 0
    count: int = 0
    seconds: float = 0.0
    at_ms: int = 0
    text: str = ""


class HealthLog:
    """Collects occurrences; the first of a kind is due at once, the next five minutes later, with their number."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, HealthKind], _Entry] = {}
        self._waiting: dict[tuple[str, HealthKind], None] = {}

    def report(
        self, subject: str, kind: HealthKind, at_ms: int, text: str, *, seconds: float = 0.0, count: int = 1
    ) -> None:
        """Takes an occurrence.

        Args:
            subject: a device, ``partition-N``, or ``store``.
            kind: see :class:`schemas.health_notice.HealthNotice`.
            at_ms: broker time, milliseconds since 1970.
            text: what happened, and what to do.
            seconds: of sound concerned.
            count: how many occurrences this is.
        """
        key = (subject, kind)
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= MAX_SUBJECTS:
                self._forget_before(at_ms)
            if len(self._entries) >= MAX_SUBJECTS:
                return
            entry = self._entries[key] = _Entry()
        entry.count += count
        entry.seconds += seconds
        entry.at_ms, entry.text = max(entry.at_ms, at_ms), text
        self._waiting[key] = None

    def due(self, now_ms: int) -> list[HealthNotice]:
        """The notices that are due at a broker time, milliseconds since 1970."""
        found = []
        for key in [key for key in self._waiting if self._entries[key].next_ms <= now_ms]:
            entry = self._entries[key]
            more = f" ({entry.count} times)" if entry.count > 1 else ""
            found.append(
                HealthNotice(
                    subject=key[0],
                    device_id=None if key[1] in _OF_NO_DEVICE else key[0],
                    kind=key[1],
                    count=entry.count,
                    seconds=round(entry.seconds, 3),
                    at_ns=entry.at_ms * 1_000_000,
                    summary=(entry.text + more)[:MAX_SUMMARY],
                )
            )
            entry.count, entry.seconds, entry.next_ms = 0, 0.0, now_ms + INTERVAL_MS
            del self._waiting[key]
        return found

    def _forget_before(self, now_ms: int) -> None:
        over = [key for key, entry in self._entries.items() if entry.next_ms <= now_ms and key not in self._waiting]
        for key in over:
            del self._entries[key]
