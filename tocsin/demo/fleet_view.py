"""What the live view knows: the latest score of every device and the alerts so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from schemas.alert import Alert
from schemas.score import Score

_CURVE = 40
"""Scores shown as a curve."""


@dataclass(slots=True)
class DeviceView:
    """One row.

    Attributes:
        device_id, kind: whose.
        latest: its latest score; None before the first.
        curve: latest scores, newest last.
        alert: its open alert, or None.
        alerts: how many alerts it has opened.
        windows: how many windows were scored.
        swapped_s: seconds into the session at which another model took over; None where none did.
    """

    device_id: str
    kind: str
    latest: Score | None = None
    curve: deque[Score] = field(default_factory=lambda: deque(maxlen=_CURVE))
    alert: Alert | None = None
    alerts: int = 0
    windows: int = 0
    swapped_s: float | None = None

    @property
    def model(self) -> str:
        """Name of the model that scored last, without the maker's."""
        return "" if self.latest is None else self.latest.model.name.removeprefix("tocsin-")

    @property
    def state(self) -> str:
        """``waiting``, ``learning``, ``normal``, ``above`` or ``ALERT``."""
        if self.alert is not None:
            return "ALERT"
        if self.latest is None:
            return "waiting"
        if self.latest.exceeds:
            return "above"
        return "learning" if self.latest.threshold is None else "normal"


@dataclass(slots=True)
class FleetView:
    """All rows, and what has happened.

    Attributes:
        devices: by id, in the order they are shown.
        events: alert revisions in the order they came, each once.
        scores: every score, once, by device and detector, in order of arrival.
    """

    devices: dict[str, DeviceView]
    events: list[Alert] = field(default_factory=list)
    scores: dict[str, list[Score]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def hear(self, score: Score) -> None:
        """Takes a champion's score; one that came before changes nothing."""
        if score.stage == "shadow" or score.event_id() in self._seen:
            return
        self._seen.add(score.event_id())
        row = self._row(score.device_id, score.detector)
        if row.latest is not None and row.latest.model != score.model:
            row.swapped_s = score.first_sample / score.sample_rate
        row.latest = score
        row.windows += 1
        row.curve.append(score)
        self.scores.setdefault(f"{score.device_id}/{score.detector}", []).append(score)

    def take(self, alert: Alert) -> bool:
        """Takes an alert's revision; False, and nothing changes, for one that came before."""
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
