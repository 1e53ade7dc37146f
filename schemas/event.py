"""JSON records: a pydantic model as a CloudEvent and back."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.abridged import check_whole
from schemas.cloudevents import decode_headers, encode_headers, format_time
from schemas.errors import EmptyValue, MalformedRecord, OversizedValue, UnknownEncoding, WrongKey
from schemas.record import Record

CONTENT_TYPE = "application/json"


class Event(BaseModel):
    """Base of all JSON records. Unknown fields are ignored; numbers are finite.

    Subclasses define their CloudEvents type, key, id, origin and time.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())

    event_type: ClassVar[str]
    max_bytes: ClassVar[int] = 64 * 1024

    def key(self) -> str:
        """The Kafka key."""
        raise TypeError(f"{type(self).__name__} has no key")

    def record_keys(self) -> tuple[str, ...]:
        """The Kafka keys that a record of it may have."""
        return (self.key(),)

    def event_id(self) -> str:
        """Unique id; a replay repeats it."""
        raise TypeError(f"{type(self).__name__} has no id")

    def source(self) -> str:
        """A URI reference that names the origin."""
        raise TypeError(f"{type(self).__name__} has no source")

    def time_ns(self) -> int:
        """Time of the event, nanoseconds since 1970."""
        raise TypeError(f"{type(self).__name__} has no time")

    def to_record(self) -> Record:
        """The Kafka record of this event."""
        headers = encode_headers(
            event_type=self.event_type,
            event_id=self.event_id(),
            source=self.source(),
            time=format_time(self.time_ns()),
            content_type=CONTENT_TYPE,
            extensions={"partitionkey": self.key()},
        )
        return Record(self.key().encode(), self.model_dump_json().encode(), headers)

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """The event in a record.

        Raises:
            ContractError: the record breaks the contract; the class names how.
        """
        check_whole(record)
        if not record.value:
            raise EmptyValue(f"the record has no value; {cls.event_type} is JSON")
        if len(record.value) > cls.max_bytes:
            raise OversizedValue(f"{len(record.value)} bytes; {cls.event_type} holds at most {cls.max_bytes}")
        attributes = decode_headers(record.headers, event_type=cls.event_type)
        if attributes["content-type"].partition(";")[0].strip() != CONTENT_TYPE:
            raise UnknownEncoding(f"content-type {attributes['content-type']!r}; {cls.event_type} is {CONTENT_TYPE!r}")
        try:
            event = cls.model_validate_json(record.value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole value"
            raise MalformedRecord(f"{cls.event_type}: {where}: {first['msg']} (got {first['input']!r:.80})") from None
        if record.key not in [key.encode() for key in event.record_keys()]:
            got = None if record.key is None else record.key[:80]
            raise WrongKey(
                f"key {got!r} is not {' or '.join(map(repr, event.record_keys()))}: key {cls.event_type} by it"
            )
        return event
