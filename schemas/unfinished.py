"""The unfinished segment of a device: which audio records its pending windows need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Annotated, ClassVar, Self

from pydantic import Field

from schemas.chunk import MAX_SAMPLE
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.event import Event

MAX_CHUNKS = 16_000
"""Most audio records that one names."""
_MAX_OFFSET = 2**63 - 1


class UnfinishedSegment(Event):
    """What a worker needs to continue a device's segment: positions in the audio topic, no sound.

    Attributes:
        device_id, session_id: of the segment.
        partition: of the audio topic.
        first_offset: oldest record that a pending window needs.
        steps: from each further record to the one before it, at least 1.
        end_sample: one past the last sample of the last record, as a session index.
        broker_ms: broker time of the device's last record, milliseconds since 1970.
    """

    event_type: ClassVar[str] = "tocsin.unfinished.v1"
    max_bytes: ClassVar[int] = 256 * 1024

    device_id: Name
    session_id: Name
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    first_offset: Annotated[int, Field(ge=0, le=_MAX_OFFSET)]
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=_MAX_OFFSET)], ...], Field(max_length=MAX_CHUNKS - 1)]
    end_sample: Annotated[int, Field(ge=0, le=MAX_SAMPLE)]
    broker_ms: Annotated[int, Field(ge=0, le=MAX_NS // 1_000_000)]

    @classmethod
    def of(
        cls, *, device_id: str, session_id: str, partition: int, offsets: Sequence[int], end_sample: int, broker_ms: int
    ) -> Self:
        """An unfinished segment of 1 to :data:`MAX_CHUNKS` records, in order."""
        return cls(
            device_id=device_id,
            session_id=session_id,
            partition=partition,
            first_offset=offsets[0],
            steps=tuple(later - earlier for earlier, later in pairwise(offsets)),
            end_sample=end_sample,
            broker_ms=broker_ms,
        )

    @property
    def offsets(self) -> tuple[int, ...]:
        """The records that its pending windows need, in order."""
        return tuple(accumulate(self.steps, initial=self.first_offset))

    @property
    def last_offset(self) -> int:
        """The newest of them."""
        return self.first_offset + sum(self.steps)

    def key(self) -> str:
        return self.device_id

    def event_id(self) -> str:
        return f"{self.session_id}/{self.partition}/{self.last_offset}"

    def source(self) -> str:
        return f"/tocsin/devices/{self.device_id}"

    def time_ns(self) -> int:
        return self.broker_ms * 1_000_000
