"""A device's manifest, on the compacted devices topic."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, field_validator

from schemas.cloudevents import MAX_NS
from schemas.event import Event
from schemas.identity import NAME

DeviceKind = Literal["machine", "room"]
DEVICE_KINDS: tuple[str, ...] = get_args(DeviceKind)

Name = Annotated[str, Field(pattern=f"^{NAME}$")]


class Device(Event):
    """One device's manifest. The newest one under a key applies.

    Attributes:
        device_id: the key.
        kind: what it records; selects the detectors unless ``detectors`` names them.
        detectors: names of the detectors to run; None takes the kind's defaults.
        sample_rate: Hz of the audio it sends, or None where the producer decides per session.
        unit: what a sample measures: ``full scale`` for sound, ``g`` for acceleration.
        full_scale: the value in ``unit`` that the largest PCM step stands for, > 0.
        description: for people.
        announced_ns: when this manifest was written, nanoseconds since 1970.
    """

    event_type: ClassVar[str] = "tocsin.device.v1"

    device_id: Name
    kind: DeviceKind
    detectors: Annotated[tuple[Name, ...], Field(min_length=1, max_length=16)] | None = None
    sample_rate: Annotated[int, Field(ge=1_000, le=192_000)] | None = None
    unit: Annotated[str, Field(max_length=32)] = "full scale"
    full_scale: Annotated[float, Field(gt=0)] = 1.0
    description: Annotated[str, Field(max_length=500)] = ""
    announced_ns: Annotated[int, Field(ge=0, le=MAX_NS)] = 0

    @field_validator("detectors")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and len(set(names)) < len(names):
            raise ValueError(f"{names} names a detector twice")
        return names

    def key(self) -> str:
        return self.device_id

    def event_id(self) -> str:
        return f"{self.device_id}/{self.announced_ns}"

    def source(self) -> str:
        return f"/tocsin/devices/{self.device_id}"

    def time_ns(self) -> int:
        return self.announced_ns
