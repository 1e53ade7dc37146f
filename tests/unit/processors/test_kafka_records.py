"""Reading records whose header names the client cannot decode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

from processors.adapters.kafka.records import read_any_header_name
from schemas.record import Record
from tests.integration.raw_records import batch_of, marked


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set by monkeypatch first, so that it is set back afterwards.
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    read_any_header_name()


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
