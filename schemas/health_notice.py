"""Health notices: sound that could not be used as it was sent, and what to do."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.bounds import MAX_INT64
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event

HealthKind = Literal[
    "concurrent_sessions",
    "session_reused",
    "gap",
    "refused",
    "records_refused",
    "records_lost",
    "store_away",
    "silent",
    "sound_again",
]
MAX_SUMMARY = 500


class HealthNotice(Event):
    """A notice on a device's sound, or on a partition's or worker's work; at most one per subject and kind in 5
    minutes.

    Attributes:
        subject: the device; ``partition-N`` of the audio topic; or ``store``, the states in Redis.
        device_id: the device; None where no single one is concerned.
        kind: ``concurrent_sessions``: two producers send as one device, the sound of the older session is refused;
            ``session_reused``: a producer began again under the id of its last session; ``gap``: sound is missing in a
            session; ``refused``: its chunks became dead
            letters; ``records_refused``: so did records that are no chunks; ``records_lost``: Kafka deleted records
            before they were read; ``store_away``: Redis could not be used, the last known thresholds applied;
            ``silent``: the device sends nothing; ``sound_again``: it does again.
        count: occurrences since the last notice of this kind.
        seconds: of sound concerned; 0 where unknown.
        at_ns: time of the last occurrence by the broker's clock, nanoseconds since 1970.
        summary: one line for people: what happened, and what to do.
    """

    event_type: ClassVar[str] = "tocsin.health.v1"

    subject: Name
    device_id: Name | None = None
    kind: HealthKind
    count: Annotated[int, Field(ge=1, le=MAX_INT64)]
    seconds: Annotated[float, Field(ge=0)] = 0.0
    at_ns: Annotated[int, Field(ge=0, le=MAX_NS)]
    summary: Annotated[str, Field(max_length=MAX_SUMMARY)]

    def key(self) -> str:
        return self.subject

    def event_id(self) -> str:
        return f"{self.subject}/{self.kind}/{self.at_ns}/{self.count}"

    def source(self) -> str:
        return f"/tocsin/devices/{self.device_id}" if self.device_id else f"/tocsin/audio/{self.subject}"

    def time_ns(self) -> int:
        return self.at_ns
