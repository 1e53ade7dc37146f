"""State of the live view: the latest score of every device and the alerts so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from schemas.alert import Alert
from schemas.score import Score

_MAX_SPARKLINE = 40
"""Scores in a sparkline."""


@dataclass(slots=True)
class DeviceView:
    """One row of the view.

    Attributes:
        device_id, kind: of the device.
        latest: its latest score; None before the first.
        sparkline: latest scores, newest last.
        alert: its open alert, or None.
        alerts: number of alerts opened.
        windows: number of windows scored.
        swapped_s: seconds into the session at which another model took over; None if none did.
    """

    device_id: str
    kind: str
    latest: Score | None = None
    sparkline: deque[Score] = field(default_factory=lambda: deque(maxlen=_MAX_SPARKLINE))
    alert: Alert | None = None
    alerts: int = 0
    windows: int = 0
    swapped_s: float | None = None

    @property
    def model(self) -> str:
        """Name of the model that scored last, without the prefix ``tocsin-``."""
        return "" if self.latest is None else self.latest.model.name.removeprefix("tocsin-")

    @property
    def state(self) -> str:
        """``waiting``, ``warm-up``, ``normal``, ``above`` or ``ALERT``."""
        if self.alert is not None:
            return "ALERT"
        if self.latest is None:
            return "waiting"
        if self.latest.exceeds:
            return "above"
        return "warm-up" if self.latest.threshold is None else "normal"


@dataclass(slots=True)
class FleetView:
    """All rows, alerts and scores.

    Attributes:
        devices: rows by device id, in the order shown.
        events: alert revisions in order of arrival, without duplicates.
        scores: by device and detector, in order of arrival, without duplicates.
    """

    devices: dict[str, DeviceView]
    events: list[Alert] = field(default_factory=list)
    scores: dict[str, list[Score]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def add_score(self, score: Score) -> None:
        """Adds a champion's score; duplicates and shadows are ignored."""
        if score.stage == "shadow" or score.event_id() in self._seen:
            return
        self._seen.add(score.event_id())
        row = self._row(score.device_id, score.detector)
        if row.latest is not None and row.latest.model != score.model:
            row.swapped_s = score.first_sample / score.sample_rate
        row.latest = score
        row.windows += 1
        row.sparkline.append(score)
        self.scores.setdefault(f"{score.device_id}/{score.detector}", []).append(score)

    def add_alert(self, alert: Alert) -> bool:
        """Adds a revision of an alert; False for a duplicate, which is ignored."""
        if alert.event_id() in self._seen:
            return False
        self._seen.add(alert.event_id())
        row = self._row(alert.device_id, alert.detector)
        row.alert = None if alert.state == "closed" else alert
        row.alerts += alert.state == "opened"
        self.events.append(alert)
        return True

    def _row(self, device_id: str, detector: str) -> DeviceView:
        return self.devices.setdefault(device_id, DeviceView(device_id, detector))
