"""Records of a batch, read within bounds from bytes that anyone may have written.

The Kafka client's own readers decode header names strictly, read the attributes as a varint, which Kafka does not, and
build whatever a record announces. Reference: Kafka's message format, version 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka.errors import CorruptRecordException

from schemas.abridged import HEAD_BYTES, Abridged, digest_facts

MAX_RECORD_BYTES = 768 * 1024
"""A larger record is read abridged: its dead letter must fit where a broker's defaults apply, 1 MiB."""

MAX_HEADERS = 4_096
"""A record with more headers is read abridged."""

_MAX_VARINT_BYTES = 10

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class BatchHead:
    """What the records of a batch share.

    Attributes:
        base_offset: offset of the first.
        last_offset: of the last.
        first_timestamp, max_timestamp: ms since 1970.
        timestamp_type: 0 the producer's time, 1 the broker's.
        count: number of records.
    """

    base_offset: int
    last_offset: int
    first_timestamp: int
    max_timestamp: int
    timestamp_type: int
    count: int


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One record, with the attributes that the client's readers give.

    Attributes:
        offset, timestamp, timestamp_type: see :class:`BatchHead`.
        key: bytes or None.
        value: bytes or None; a :class:`schemas.abridged.Abridged` where the record was not read whole.
        headers: bytes in a name that are not UTF-8 are written ``\\xNN``.
        checksum: None; records have none of their own.
    """

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    checksum: None = None


def read_records(data: bytes, head: BatchHead) -> Iterator[ReadRecord]:
    """The records of a batch, in order.

    Args:
        data: the records, decompressed.
        head: of the batch.

    Raises:
        CorruptRecordException: the next record cannot be read, and so none that follows it.
    """
    at = 0
    for _ in range(head.count):
        length, at = _varint(data, at, len(data))
        if not 0 <= length <= len(data) - at:
            raise CorruptRecordException(f"a record of {length} bytes; {len(data) - at} are left of its batch")
        yield _record(data, at, at + length, head)
        at += length


def _record(data: bytes, at: int, end: int, head: BatchHead) -> ReadRecord:
    size = end - at
    whole = size <= MAX_RECORD_BYTES
    delta, at = _varint(data, at + 1, end)  # after one byte of attributes
    offset_delta, at = _varint(data, at, end)
    (key_at, key_end), at = _span(data, at, end)
    (value_at, value_end), at = _span(data, at, end)
    count, headers_at = _varint(data, at, end)
    if not 0 <= count <= end - headers_at:
        raise CorruptRecordException(f"{count} headers in {end - headers_at} bytes")
    key = None if key_at < 0 else data[key_at : min(key_end, end if whole else key_at + HEAD_BYTES)]
    if whole and count <= MAX_HEADERS:
        value: bytes | None = None if value_at < 0 else data[value_at:value_end]
        headers = _headers(data, headers_at, end, count)
    else:
        with memoryview(data) as view:
            facts = {"abridged": "record"}
            reason = f"{size} bytes" if not whole else f"{count} headers"
            facts["reason"] = f"a record of {reason}; {MAX_RECORD_BYTES} bytes and {MAX_HEADERS} headers are carried"
            facts |= digest_facts(None if value_at < 0 else view[value_at:value_end])
            if key is not None and len(key) < key_end - key_at:
                facts |= digest_facts(view[key_at:key_end], "key_")
            facts |= {"headers": str(count), **digest_facts(view[headers_at:end], "headers_")}
        value = Abridged(b"" if value_at < 0 else data[value_at : min(value_end, value_at + HEAD_BYTES)], facts)
        headers = ()
    timestamp = head.max_timestamp if head.timestamp_type else head.first_timestamp + delta
    return ReadRecord(head.base_offset + offset_delta, timestamp, head.timestamp_type, key, value, headers)


def _headers(data: bytes, at: int, end: int, count: int) -> Headers:
    headers = []
    for _ in range(count):
        (name_at, name_end), at = _span(data, at, end)
        if name_at < 0:
            raise CorruptRecordException("a header without a name")
        (value_at, value_end), at = _span(data, at, end)
        name = data[name_at:name_end].decode("utf-8", "backslashreplace")
        headers.append((name, None if value_at < 0 else data[value_at:value_end]))
    return tuple(headers)


def _span(data: bytes, at: int, end: int) -> tuple[tuple[int, int], int]:
    """Where a field with its length before it begins and ends, (-1, -1) for null, and where the next begins."""
    length, at = _varint(data, at, end)
    if length < 0:
        return (-1, -1), at
    if length > end - at:
        raise CorruptRecordException(f"a field of {length} bytes; {end - at} are left of its record")
    return (at, at + length), at + length


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A zigzag varint, and where the next field begins."""
    number = shift = 0
    for place in range(at, min(end, at + _MAX_VARINT_BYTES)):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), place + 1
        shift += 7
    raise CorruptRecordException("a number without an end")
