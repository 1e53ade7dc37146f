"""Consumers that no record stops: what a batch costs is bounded, and what cannot be read is passed, and told.

The Kafka client decompresses a batch whatever its size, and raises for ever at a record that it cannot read, such as
one with a header name that is not UTF-8: its consumer would end, or never get past it. The broker accepts such records.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records, memory_records

from processors.adapters.kafka.decompression import BeyondBound, decompress
from processors.adapters.kafka.record_reader import MAX_HEADERS, MAX_RECORD_BYTES, BatchHead, ReadRecord, read_records
from schemas.abridged import Abridged, digest_facts

MAX_BATCH_BYTES = 4 * 1024 * 1024
"""A batch that decompresses to more is not read."""

MAX_BATCH_RECORDS = 10_000
"""A batch of more records is not read."""

MAX_POLL_RECORDS = 500
"""What consumers take at once: without a bound the client unpacks all batches that it has fetched."""

_HEAD = struct.Struct(">qiibIhiqqqhii")
_ATTRIBUTES = slice(21, 23)
_CODEC, _APPEND_TIME, _MAGIC_2 = 0x07, 0x08, 2
_LENGTH = slice(8, 12)
_BEFORE_LENGTH_ENDS = 12


def harden_consumers() -> None:
    """Makes every consumer of this process get past every batch, in bounded memory.

    Bytes of header names that are not UTF-8 are written ``\\xNN``. A record that is too large, or has too many headers,
    comes with a :class:`schemas.abridged.Abridged` as its value. So does, as one record with the offset of the last, a
    batch, or the rest of one, that is too large or cannot be read.
    """
    fetcher.MemoryRecords = _Batches


class _Batches:
    """The client's own reader of a fetch response, batch by batch, with bounds.

    Args:
        data: the response's record batches.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._start = 0
        self._batches = memory_records.MemoryRecords(data)

    def size_in_bytes(self) -> int:
        """Of the whole response."""
        size: int = self._batches.size_in_bytes()
        return size

    def has_next(self) -> bool:
        """Whether a whole batch is left."""
        left: bool = self._batches.has_next()
        return left

    def next_batch(self) -> Any:
        """The next batch."""
        batch = self._batches.next_batch()
        start, head = self._start, self._data[self._start : self._start + _BEFORE_LENGTH_ENDS]
        self._start += _BEFORE_LENGTH_ENDS + int.from_bytes(head[_LENGTH], "big")
        return _Batch(batch, self._data[start : self._start])


class _Batch:
    """A batch; see :class:`_Batches`."""

    def __init__(self, batch: Any, data: bytes) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        if self._batch.magic < _MAGIC_2:
            # Brokers from 4.0 on have none. Their compression cannot be bounded, so it is not read.
            yield from self._batch if not self._batch.compression_type else [_unread(self._data, "message format 1")]
            return
        fields = _HEAD.unpack_from(self._data)
        _, _, _, _, _, attributes, last_delta, first_timestamp, max_timestamp, _, _, _, count = fields
        appended = 1 if attributes & _APPEND_TIME else 0
        head = BatchHead(fields[0], fields[0] + last_delta, first_timestamp, max_timestamp, appended, count)
        if count > MAX_BATCH_RECORDS:
            yield _unread(self._data, f"a batch of {count} records; at most {MAX_BATCH_RECORDS} are read", head)
            return
        try:
            payload = self._payload(attributes & _CODEC)
        except BeyondBound as error:
            yield _unread(self._data, f"a batch that decompresses to {error}", head)
            return
        except CorruptRecordException as error:
            yield _unread(self._data, f"a batch that {error}", head)
            return
        yield from _read(self._data, payload, head)

    def _payload(self, codec: int) -> bytes:
        payload = self._data[_HEAD.size :]
        if codec:
            return decompress(codec, payload, MAX_BATCH_BYTES)
        if len(payload) > MAX_BATCH_BYTES:
            raise BeyondBound(f"more than {MAX_BATCH_BYTES} bytes")
        return payload


def _read(data: bytes, payload: bytes, head: BatchHead) -> Iterator[Any]:
    """The records; those after one that cannot be read as one."""
    done = 0
    # The client's own reader is fast, and builds whatever a batch announces.
    if len(payload) <= MAX_RECORD_BYTES:
        try:
            for record in _fast(data, payload):
                if len(record.headers) > MAX_HEADERS:
                    break
                yield record
                done += 1
            else:
                return
        except (UnicodeDecodeError, CorruptRecordException):
            pass  # read again from there on
    offset = head.base_offset
    try:
        for number, record in enumerate(read_records(payload, head)):
            if number >= done:
                yield record
            offset = record.offset + 1
    except CorruptRecordException as error:
        yield _unread(data, f"records that cannot be read: {error}", head, offset)


def _fast(data: bytes, payload: bytes) -> Any:
    """The client's own reader, of a batch that needs no decompression."""
    plain = bytearray(data[: _HEAD.size])
    attributes = int.from_bytes(plain[_ATTRIBUTES], "big")
    plain[_ATTRIBUTES] = (attributes & ~_CODEC).to_bytes(2, "big")
    plain[_LENGTH] = (_HEAD.size - _BEFORE_LENGTH_ENDS + len(payload)).to_bytes(4, "big")
    return default_records.DefaultRecordBatch(bytes(plain) + payload)


def _unread(data: bytes, reason: str, head: BatchHead | None = None, first: int | None = None) -> ReadRecord:
    """What stands for the records of a batch from offset ``first`` on."""
    if head is None:
        offset = int.from_bytes(data[:8], "big")
        head = BatchHead(offset, offset, 0, 0, 0, 1)
    stored = data[_HEAD.size :]
    facts = {
        "abridged": "batch",
        "reason": reason,
        "first_offset": str(head.base_offset if first is None else first),
        "last_offset": str(head.last_offset),
        **digest_facts(stored),
    }
    value = Abridged(stored, facts)
    return ReadRecord(head.last_offset, max(head.max_timestamp, 0), head.timestamp_type, None, value, ())
