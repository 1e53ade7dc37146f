"""A Kafka record as bytes, independent of the client."""

from __future__ import annotations

from dataclasses import dataclass

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Key, value and headers of one record, byte for byte.

    Attributes:
        key: the record's key, or None.
        value: the record's value; None is a tombstone.
        headers: name and value in their order; a name may occur more than once.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers
