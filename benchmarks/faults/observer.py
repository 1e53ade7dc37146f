"""Watches a run from outside: commits, ends and memory each second, and every record of every topic at the end."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from benchmarks.faults.oracle.chunk_record import read_chunk
from benchmarks.faults.oracle.evidence import Commit, Message, Sample
from connections.kafka import KafkaConnection

AUDIO = "tocsin.audio.v1"
_OFFSETS = "__consumer_offsets"
_INTERVAL_S = 1.0
_ANSWER_S = 3.0


class Observer:
    """Samples the group's commits and the workers' memory.

    Args:
        kafka: the connection to Kafka.
        group: the workers'.
        partitions: of the audio topic.
        rss_mib: memory by worker.
        able: whether a worker and the broker could work now.
    """

    def __init__(
        self,
        kafka: KafkaConnection,
        group: str,
        partitions: int,
        rss_mib: Callable[[], Mapping[str, float]],
        able: Callable[[], bool],
    ) -> None:
        self._kafka, self._group = kafka, group
        self._partitions = [TopicPartition(AUDIO, number) for number in range(partitions)]
        self._rss_mib, self._able = rss_mib, able
        self.samples: list[Sample] = []

    async def watch(self) -> None:
        """Samples each second until cancelled; a client that gets no answer is replaced."""
        while True:
            consumer = AIOKafkaConsumer(**self._kafka.client_options(), group_id=self._group, enable_auto_commit=False)
            try:
                await asyncio.wait_for(consumer.start(), _ANSWER_S)
                while True:
                    began = time.monotonic()
                    await self._sample(consumer)
                    await asyncio.sleep(max(0.0, _INTERVAL_S - (time.monotonic() - began)))
            except (KafkaError, TimeoutError, OSError):
                self._note({}, {})
                await asyncio.sleep(_INTERVAL_S)
            finally:
                await asyncio.gather(consumer.stop(), return_exceptions=True)

    async def _sample(self, consumer: AIOKafkaConsumer) -> None:
        async with asyncio.timeout(_ANSWER_S):
            answers = await asyncio.gather(*(consumer.committed(tp) for tp in self._partitions))
            ends = await consumer.end_offsets(self._partitions)
        committed = {tp.partition: answer or 0 for tp, answer in zip(self._partitions, answers, strict=True)}
        self._note(committed, {tp.partition: end for tp, end in ends.items()})

    def _note(self, committed: Mapping[int, int], ends: Mapping[int, int]) -> None:
        able = bool(ends) and self._able()
        self.samples.append(Sample(time.time_ns() // 1_000_000, committed, ends, self._rss_mib(), able))


async def read_topic(kafka: KafkaConnection, topic: str) -> list[Message]:
    """Every record of a topic, in order within each partition; of sound the length and the digest are kept."""
    consumer = AIOKafkaConsumer(
        topic,
        **kafka.client_options(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        exclude_internal_topics=False,
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )
    try:
        await consumer.start()
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found: list[Message] = []
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += [Message(m.partition, m.offset, m.timestamp, m.key, m.value, tuple(m.headers)) for m in batch]
        return sorted(found, key=lambda message: (message.partition, message.offset))
    finally:
        await consumer.stop()


async def read_commits(kafka: KafkaConnection, group: str) -> list[Commit]:
    """Every commit of a group on the audio topic, from the broker's own topic of them."""
    return commits_in(await read_topic(kafka, _OFFSETS), group)


def commits_in(messages: Sequence[Message], group: str) -> list[Commit]:
    """The commits of a group on the audio topic among the records of ``__consumer_offsets``."""
    found = []
    for message in messages:
        if message.key is None or message.value is None or struct.unpack_from(">h", message.key)[0] not in (0, 1):
            continue
        name, at = _text(message.key, 2)
        topic, at = _text(message.key, at)
        (partition,) = struct.unpack_from(">i", message.key, at)
        (offset,) = struct.unpack_from(">q", message.value, 2)
        if (name, topic) == (group, AUDIO):
            found.append(Commit(partition, offset, message.at_ms))
    return found


def _kept(message: Message) -> Message:
    """The message, without its sound where it is a chunk: hours of a fleet do not fit into memory."""
    if isinstance(read_chunk(message), str):
        return message
    value = message.value or b""
    return replace(message, value=_silence(len(value)), digest=hashlib.sha256(value).hexdigest())


@lru_cache
def _silence(size: int) -> bytes:
    return bytes(size)


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length
