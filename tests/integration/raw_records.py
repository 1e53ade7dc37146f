"""Records that no client library writes: hand-made batches, sent to the broker unchanged."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from schemas.record import Record

_PLACEHOLDER = "\x02\x02\x02"


def batch_of(records: Sequence[Record], name: bytes = b"", *, compression: int = 0) -> bytes:
    """A record batch in which every header name ``\\x02\\x02\\x02`` is replaced by other bytes.

    Args:
        records: of the batch.
        name: three bytes, UTF-8 or not; none where no name is to be replaced.
        compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    """
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1 << 30)
    for offset, record in enumerate(records):
        builder.append(offset, None, record.key, record.value, list(record.headers))
    if name:
        assert len(name) == len(_PLACEHOLDER)
        assert _PLACEHOLDER.encode() in builder._buffer
        builder._buffer = bytearray(bytes(builder._buffer).replace(_PLACEHOLDER.encode(), name))
    return bytes(builder.build())


def marked(record: Record) -> Record:
    """The record with one more header, whose name is to be replaced."""
    return Record(record.key, record.value, (*record.headers, (_PLACEHOLDER, b"whatever")))


async def produce_raw(kafka: str, topic: str, partition: int, batch: bytes) -> None:
    """Gives the broker a batch; it must take it."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        client = producer.client
        await client.set_topics([topic])
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        response = await client.send(leader, ProduceRequest(None, -1, 10_000, [(topic, [(partition, batch)])]))
    ((_, ((_, error_code, *_),)),) = response.topics
    assert error_code == 0
