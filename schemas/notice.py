"""Notices, which need no immediate action: a slow drift, suppressed alerts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.bounds import MAX_INT64, Count, Line
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event

NoticeKind = Literal["drift", "suppressed", "model_refused"]


class Notice(Event):
    """A notice on a device's detector.

    Attributes:
        device_id, detector, session_id: of the window behind it.
        kind: ``drift``: the usual sound has slowly moved away from its baseline; ``suppressed``: the alert budget
            suppressed alerts; ``model_refused``: the device's model failed while it scored, and another one continues.
        count: alerts suppressed; windows that the model did not score; 1 for a drift.
        end_sample: end of that window, as a session index.
        captured_ns: that window's capture time, nanoseconds since 1970.
        summary: one line for people.
    """

    event_type: ClassVar[str] = "tocsin.notice.v1"

    device_id: Name
    detector: Name
    session_id: Name
    kind: NoticeKind
    count: Annotated[int, Field(ge=1, le=MAX_INT64)]
    end_sample: Count
    captured_ns: Annotated[int, Field(ge=0, le=MAX_NS)]
    summary: Line

    def key(self) -> str:
        return self.device_id

    def event_id(self) -> str:
        return f"{self.device_id}/{self.detector}/{self.session_id}/{self.end_sample}/{self.kind}"

    def source(self) -> str:
        return f"/tocsin/detectors/{self.detector}"

    def time_ns(self) -> int:
        return self.captured_ns
