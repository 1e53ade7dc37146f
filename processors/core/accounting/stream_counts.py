"""A worker's counts: sound, windows, alerts, dead letters and their like, as plain numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from processors.core.accounting.sound_counts import SoundCounts

ALERT_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 300.0)
"""Upper bounds of the histogram's buckets, seconds."""


@dataclass(slots=True)
class Histogram:
    """Durations by bucket.

    Attributes:
        bounds: upper bounds of the buckets, ascending, inclusive; a last bucket has none.
        counts: in each bucket, one more than ``bounds``.
        total: sum of all durations, seconds.
    """

    bounds: tuple[float, ...] = ALERT_SECONDS
    counts: list[int] = field(default_factory=lambda: [0] * (len(ALERT_SECONDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Counts a duration; a device's clock that is ahead gives 0."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class StreamCounts:
    """Counts since the worker's start; only ever increased.

    Attributes:
        sound: samples by device and outcome.
        chunks: records that were decoded.
        windows: scored, by detector and stage.
        alerts: revisions sent, by detector and state.
        notices: sent, by kind.
        dead_letters: by error class.
        windows_degraded: decided without Redis.
        records_lost: deleted by Kafka before they were read.
        acknowledged: records handled to their end.
        models_refused: by error class.
        capture_to_alert: from the end of the window that opened an alert to its sending.
    """

    sound: SoundCounts = field(default_factory=SoundCounts)
    chunks: int = 0
    windows: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    windows_degraded: int = 0
    records_lost: int = 0
    acknowledged: int = 0
    models_refused: Counter[str] = field(default_factory=Counter)
    capture_to_alert: Histogram = field(default_factory=Histogram)
