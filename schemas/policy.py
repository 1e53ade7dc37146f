"""Policies: false-alarm budgets and operating regimes, on the compacted policies topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event
from schemas.scope import Scope, scopes_of

ANY = "any"
DEFAULT_FALSE_ALARMS_PER_WEEK = 1.0


class Policy(Event):
    """The false-alarm budget of a detector and a scope. The newest under a key applies; a tombstone removes it.

    Attributes:
        detector: its name, or ``any``.
        scope: the devices it applies to.
        false_alarms_per_week: at most so many on each device, > 0.
        regime_hours: hours of the day (UTC) at which another operating regime begins, two or three, ascending; each has
            a reference of its own. Empty: there is one regime.
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
    """Keys of the policies that may apply to a device's detector, in order of precedence."""
    return tuple(f"{role}/{scope}" for scope in scopes_of(device_id, kind) for role in (detector, ANY))


def applicable(policies: Mapping[str, Policy], device_id: str, kind: str, detector: str) -> Policy | None:
    """The policy that applies to a device's detector; None where the default applies.

    Args:
        policies: by key.
        device_id, kind, detector: of the device and detector.
    """
    if not policies:
        return None
    return next((policies[key] for key in keys_for(device_id, kind, detector) if key in policies), None)
