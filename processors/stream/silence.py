"""Silence: closes the alerts of devices that send nothing, and tells of the devices."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import structlog
from aiokafka.errors import KafkaError

from processors.adapters.redis.state_store import StateKey
from processors.core.alerting.detector_state import Output
from schemas.alert import Alert

_log = structlog.get_logger(__name__)

_MAX_DEVICES = 20_000
_MAX_STEP_S = 10.0
_STEADY_S = 60.0
"""A device that sent for less time than this is not missed."""


async def _no_alerts(partitions: Collection[int]) -> Sequence[Alert]:  # noqa: ARG001
    return ()


class SilenceWatch:
    """Counts the time that each device has sent nothing, while its sound would have been read.

    An outage of Kafka is no silence, and what waits to be read is none: then the time stands still. What is closed is
    known from the topic of alerts to whoever takes the partition next; the device's next window passes it on to its
    state.

    Args:
        limit_s: after so long an alert is closed and the device is reported, seconds.
        last_alerts: the last revisions of the alerts on partitions' devices, open or closed.
        is_caught_up: whether the broker answers and nothing waits to be read.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        limit_s: float = 600.0,
        last_alerts: Callable[[Collection[int]], Awaitable[Sequence[Alert]]] = _no_alerts,
        is_caught_up: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_s, self._last_alerts = limit_s, last_alerts
        self._is_caught_up, self._clock = is_caught_up, clock
        self._elapsed_s, self._ticked_at = 0.0, clock()
        self._first_s: dict[str, float] = {}
        self._last_s: dict[str, float] = {}
        self._silent: set[str] = set()
        self._open: dict[StateKey, Alert] = {}
        self._closed: dict[StateKey, Alert] = {}
        self._to_load: set[int] = set()

    @property
    def closed(self) -> Mapping[StateKey, Alert]:
        """Closing revisions that the states of their devices do not know yet."""
        return MappingProxyType(self._closed)

    def forget(self) -> None:
        """The partitions may belong to another worker now."""
        self._first_s, self._last_s, self._silent = {}, {}, set()
        self._open, self._closed, self._to_load = {}, {}, set()

    async def load(self, partitions: Collection[int]) -> None:
        """Takes over the alerts of newly assigned partitions; where Kafka does not answer, with the next call."""
        self._to_load |= set(partitions)
        if not self._to_load:
            return
        try:
            alerts = await self._last_alerts(self._to_load)
        except KafkaError as error:
            _log.warning("alerts not readable; they are read again", error=repr(error))
            return
        self._to_load = set()
        for alert in alerts:
            self._take(alert)

    def received(self, device_ids: Iterable[str]) -> list[str]:
        """Devices have sent sound; returns those that had been reported as silent."""
        back = []
        for device_id in device_ids:
            if device_id not in self._last_s and len(self._last_s) >= _MAX_DEVICES:
                continue
            self._first_s.setdefault(device_id, self._elapsed_s)
            self._last_s[device_id] = self._elapsed_s
            if device_id in self._silent:
                self._silent.discard(device_id)
                back.append(device_id)
        return back

    def sent(self, outputs: Iterable[Output]) -> None:
        """Kafka has confirmed outputs, and the states include them."""
        for output in outputs:
            self._closed.pop((output.score.device_id, output.score.detector), None)
            if output.alert is not None:
                self._take(output.alert)

    def due(self) -> tuple[list[Alert], list[str]]:
        """Closing revisions to send, and devices to report; to be called every few seconds, not in a batch."""
        now = self._clock()
        if self._is_caught_up():
            self._elapsed_s += min(now - self._ticked_at, _MAX_STEP_S)
        self._ticked_at = now
        before = self._elapsed_s - self._limit_s
        silence = self._last_s
        closing = [_closed(one) for (name, _), one in self._open.items() if silence.get(name, before) <= before]
        for alert in closing:
            _log.warning("alert closed: no sound", device=alert.device_id, alert=alert.alert_id)
        silent = [device_id for device_id, last_s in self._last_s.items() if last_s <= before]
        missed = [one for one in silent if self._last_s[one] - self._first_s[one] >= _STEADY_S]
        for device_id in silent:
            del self._last_s[device_id], self._first_s[device_id]
        self._silent |= set(missed)
        return closing, missed

    def confirm(self, closing: Iterable[Alert]) -> None:
        """Kafka has confirmed closing revisions."""
        for alert in closing:
            self._take(alert)

    def _take(self, alert: Alert) -> None:
        key = (alert.device_id, alert.detector)
        self._open.pop(key, None)
        if alert.state != "closed":
            self._open[key] = alert
            self._first_s.setdefault(alert.device_id, self._elapsed_s)
            self._last_s.setdefault(alert.device_id, self._elapsed_s)
        elif alert.reason == "no_sound":
            self._closed[key] = alert


def _closed(alert: Alert) -> Alert:
    """The closing revision; the same whoever makes it."""
    return alert.model_copy(
        update={
            "state": "closed",
            "revision": alert.revision + 1,
            "reason": "no_sound",
            "summary": f"closed: no sound from {alert.device_id}; when it sends again, a new alert may open",
        }
    )
