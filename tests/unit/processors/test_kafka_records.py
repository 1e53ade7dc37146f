"""Reading batches that the client cannot read, or reads at any cost."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import tracemalloc
from collections.abc import Iterator

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from processors.adapters.kafka.record_reader import BatchHead, ReadRecord, read_records
from processors.adapters.kafka.records import MAX_BATCH_BYTES, harden_consumers
from schemas.abridged import Abridged
from schemas.record import Record
from tests.integration.raw_records import batch_of, marked

HEAD_SIZE = DefaultRecordBase.HEADER_STRUCT.size


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set by monkeypatch first, so that it is set back afterwards.
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    harden_consumers()


RECORDS = [Record(b"key %d" % n, b"value %d" % n, (("name", b"\xff"),)) for n in range(5)]


def read(data: bytes) -> Iterator[Record]:
    batches = fetcher.MemoryRecords(data)
    assert batches.size_in_bytes() == len(data)
    while batches.has_next():
        batch = batches.next_batch()
        assert batch.validate_crc()
        for record in batch:
            yield Record(record.key, record.value, tuple(record.headers))


@pytest.mark.parametrize("compression", [0, 1], ids=["plain", "gzip"])
@pytest.mark.parametrize("position", [0, 2, 4])
def test_a_header_name_that_is_not_utf_8_is_escaped(position: int, compression: int) -> None:
    sent = [marked(record) if number == position else record for number, record in enumerate(RECORDS)]
    data = batch_of(sent, b"\xff\xfea", compression=compression)

    found = list(read(data + data))

    escaped = Record(
        sent[position].key, sent[position].value, (*RECORDS[position].headers, ("\\xff\\xfea", b"whatever"))
    )
    assert found == [escaped if number == position else record for number, record in enumerate(RECORDS)] * 2


def test_the_client_alone_cannot_read_it() -> None:
    (batch,) = [MemoryRecords(batch_of([marked(RECORDS[0])], b"\xff\xfea")).next_batch()]
    with pytest.raises((UnicodeDecodeError, ValueError)):
        list(batch)


def test_a_name_in_utf_8_is_read_unchanged() -> None:
    (found,) = read(batch_of([marked(RECORDS[0])], "€".encode()))

    assert found.headers[-1] == ("€", b"whatever")


def read_all(data: bytes) -> list[ReadRecord]:
    batches = fetcher.MemoryRecords(data)
    found = []
    while batches.has_next():
        found += list(batches.next_batch())
    return found


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_is_read_up_to_the_bound_and_not_beyond(codec: int) -> None:
    around = len(batch_of([Record(None, bytes(MAX_BATCH_BYTES), ())])) - MAX_BATCH_BYTES - HEAD_SIZE
    fits, beyond = (Record(None, bytes(MAX_BATCH_BYTES - around + more), ()) for more in (0, 1))

    (whole,) = read_all(batch_of([fits], compression=codec))
    data = batch_of([beyond], compression=codec)
    (skipped,) = read_all(data)

    assert isinstance(whole.value, Abridged)
    assert whole.value.facts["abridged"] == "record"
    assert whole.value.facts["size"] == str(MAX_BATCH_BYTES - around)
    assert isinstance(skipped.value, Abridged)
    assert skipped.value.facts["abridged"] == "batch"
    assert skipped.value.facts["sha256"] == hashlib.sha256(data[HEAD_SIZE:]).hexdigest()
    assert skipped.value == data[HEAD_SIZE:][:1024]


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_beyond_the_bound_costs_no_more_memory_than_the_bound(codec: int) -> None:
    data = batch_of([Record(None, bytes(48 * 1024 * 1024), ())], compression=codec)
    tracemalloc.start()
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read_all(data)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert grown_kib < 24 * 1024
    assert peak < 3 * len(data) + MAX_BATCH_BYTES


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_that_does_not_decompress_is_passed(codec: int) -> None:
    data = bytearray(batch_of(RECORDS, compression=codec))
    data[HEAD_SIZE + 16 : HEAD_SIZE + 30] = b"\xff" * 14

    (skipped,) = read_all(bytes(data) + batch_of(RECORDS))[:-5]

    assert isinstance(skipped.value, Abridged)
    assert (skipped.value.facts["first_offset"], skipped.value.facts["last_offset"], skipped.offset) == ("0", "4", 4)


def test_records_after_one_that_cannot_be_read_are_passed_as_one() -> None:
    data = batch_of(RECORDS)
    at = data.index(b"value 2") - 1
    broken = data[:at] + b"\x7f" + data[at + 1 :]  # announces a value of minus 64 bytes

    found = read_all(broken)

    assert [record.value for record in found[:2]] == [b"value 0", b"value 1"]
    rest = found[-1]
    assert isinstance(rest.value, Abridged)
    assert rest.value.facts["last_offset"] == "4"
    assert rest.offset == 4
    assert "cannot be read" in rest.value.facts["reason"]


def test_any_attributes_of_a_record_are_read() -> None:
    # The client takes them for a varint, which Kafka does not.
    data = bytearray(batch_of([RECORDS[0]]))
    data[HEAD_SIZE + 1] = 0xFF

    (record,) = read_all(bytes(data))

    assert (record.key, record.value) == (b"key 0", b"value 0")


def test_both_readers_agree() -> None:
    data = batch_of([*RECORDS, Record(None, None, ()), Record(b"", b"", (("", b""),))])
    head = BatchHead(0, 6, -1, -1, 0, 7)

    slow = [(r.offset, r.key, r.value, tuple(r.headers)) for r in read_records(data[HEAD_SIZE:], head)]

    assert slow == [(r.offset, r.key, r.value, tuple(r.headers)) for r in read_all(data)]


@given(st.binary(max_size=200), st.integers(0, 5))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes, count: int) -> None:
    with contextlib.suppress(CorruptRecordException):
        for _ in read_records(data, BatchHead(0, 0, 0, 0, 0, count)):
            pass
