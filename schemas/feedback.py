"""Operator feedback on alerts and devices, on the feedback topic."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event

Judgement = Literal["false-alarm", "real"]
Action = Literal["normal", "undo"]


class AlertFeedback(Event):
    """An operator's judgement of an alert. The newest one on an alert applies.

    Attributes:
        alert_id, device_id, detector: of the alert.
        judgement: ``false-alarm``: the sound was normal; ``real``: it was not.
        note: for people.
        by: who gave it; free text.
        given_ns: nanoseconds since 1970.
    """

    event_type: ClassVar[str] = "tocsin.alert-feedback.v1"

    alert_id: Annotated[str, Field(min_length=1, max_length=64)]
    device_id: Name
    detector: Name
    judgement: Judgement
    note: Annotated[str, Field(max_length=2_000)] = ""
    by: Annotated[str, Field(max_length=200)] = ""
    given_ns: Annotated[int, Field(ge=0, le=MAX_NS)]

    def key(self) -> str:
        return self.device_id

    def event_id(self) -> str:
        return f"{self.alert_id}/{self.given_ns}"

    def source(self) -> str:
        return f"/tocsin/alerts/{self.alert_id}"

    def time_ns(self) -> int:
        return self.given_ns


class DeviceFeedback(Event):
    """An operator's "this is normal" on a device's sound as a whole, or its reversal.

    Attributes:
        device_id, detector: of the sound.
        action: ``normal``: what sounds now, or has sounded today, is the usual sound from now on; ``undo`` reverses
            the last ``normal``.
        note: for people.
        by: who gave it; free text.
        given_ns: nanoseconds since 1970.
    """

    event_type: ClassVar[str] = "tocsin.device-feedback.v1"

    device_id: Name
    detector: Name
    action: Action
    note: Annotated[str, Field(max_length=2_000)] = ""
    by: Annotated[str, Field(max_length=200)] = ""
    given_ns: Annotated[int, Field(ge=0, le=MAX_NS)]

    def key(self) -> str:
        return self.device_id

    def event_id(self) -> str:
        return f"{self.device_id}/{self.detector}/{self.given_ns}"

    def source(self) -> str:
        return f"/tocsin/devices/{self.device_id}"

    def time_ns(self) -> int:
        return self.given_ns
