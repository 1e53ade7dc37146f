"""How many false alarms are allowed, on the compacted policies topic."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from schemas.assignment import Scope
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event

ANY = "any"
DEFAULT_FALSE_ALARMS_PER_WEEK = 1.0


class Policy(Event):
    """A promise for a detector and a scope. The newest under a key holds; a tombstone takes it back.

    Attributes:
        detector: the role, or ``any``.
        scope: ``all``, ``kind:<device kind>`` or ``device:<device_id>``.
        false_alarms_per_week: at most so many on each device, > 0.
        regime_hours: hours of the day (UTC) at which another operating regime begins, two or three, ascending; each has
            a reference of its own. Empty: there is one.
        use_reported_regime: whether each operating regime that the producer sends has a reference of its own.
        note: for people.
        set_ns: nanoseconds since 1970.
    """

    event_type: ClassVar[str] = "tocsin.policy.v1"

    detector: Name
    scope: Scope
    false_alarms_per_week: Annotated[float, Field(gt=0, le=1_000)]
    regime_hours: Annotated[tuple[Annotated[int, Field(ge=0, le=23)], ...], Field(max_length=3)] = ()
    use_reported_regime: bool = False
    note: Annotated[str, Field(max_length=500)] = ""
    set_ns: Annotated[int, Field(ge=0, le=MAX_NS)]

    @field_validator("regime_hours")
    @classmethod
    def _two_or_three_in_order(cls, hours: tuple[int, ...]) -> tuple[int, ...]:
        if len(hours) == 1 or list(hours) != sorted(set(hours)):
            raise ValueError(f"{hours} are not two or three hours in ascending order")
        return hours

    @model_validator(mode="after")
    def _hours_or_reported(self) -> Self:
        if self.regime_hours and self.use_reported_regime:
            raise ValueError(
                f"operating regimes follow the hours {self.regime_hours} or what the producer reports, not both: "
                "leave one of them out"
            )
        return self

    def key(self) -> str:
        return f"{self.detector}/{self.scope}"

    def event_id(self) -> str:
        return f"{self.key()}/{self.set_ns}"

    def source(self) -> str:
        return "/tocsin/policies"

    def time_ns(self) -> int:
        return self.set_ns


def keys_for(device_id: str, kind: str, detector: str) -> tuple[str, ...]:
    """Keys of the policies that may hold for a device's detector, the one that decides first."""
    scopes = (f"device:{device_id}", f"kind:{kind}", "all")
    return tuple(f"{role}/{scope}" for scope in scopes for role in (detector, ANY))
