"""Unfinished segments on their topic, and audio records read again from theirs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connections.kafka import KafkaConnection
from processors.adapters.kafka.messages import read_to_end, record_of
from processors.adapters.kafka.side_consumer import READ_WAIT_MS, side_consumer
from schemas.errors import ContractError
from schemas.record import Record
from schemas.topics import AUDIO, UNFINISHED, Topic
from schemas.unfinished import UnfinishedSegment

_log = structlog.get_logger(__name__)
_RETRY_S = 1.0
_POLL_MS = 500
# Records closer than this are read on to; farther ones are sought.
_NEAR = 16
_FETCH_BYTES = 256 * 1024


class KafkaUnfinishedLog:
    """A :class:`processors.stream.unfinished.UnfinishedLog` on Kafka.

    Args:
        bootstrap: the connection to Kafka.
        send: sends records, each to a partition of its topic, and returns once Kafka has confirmed them.
    """

    def __init__(
        self, bootstrap: KafkaConnection, send: Callable[[Topic, Sequence[tuple[int, Record]]], Awaitable[object]]
    ) -> None:
        self._bootstrap = bootstrap
        self._send = send
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions = 0

    async def start(self) -> None:
        """Connects."""
        consumer = side_consumer(
            self._bootstrap, UNFINISHED, fetch_max_wait_ms=READ_WAIT_MS, max_partition_fetch_bytes=_FETCH_BYTES
        )
        await consumer.start()
        self._partitions = len(consumer.partitions_for_topic(UNFINISHED.name) or ())
        consumer.unsubscribe()
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnects."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def store(self, segments: Sequence[UnfinishedSegment]) -> None:
        """Returns once Kafka has confirmed all."""
        await self._send(
            UNFINISHED, [(segment.partition % self._partitions, segment.to_record()) for segment in segments]
        )

    async def load(self, partitions: Sequence[int]) -> list[UnfinishedSegment]:
        """All segments stored for these partitions of the audio topic, in the order of the log."""
        consumer = self._started()
        here = [TopicPartition(UNFINISHED.name, number) for number in {one % self._partitions for one in partitions}]
        while True:
            try:
                consumer.assign(here)
                await consumer.seek_to_beginning(*here)
                return [segment async for message in read_to_end(consumer) if (segment := _segment(message))]
            except KafkaError as error:
                _log.warning("topic not readable", topic=UNFINISHED.name, error=str(error) or type(error).__name__)
                await asyncio.sleep(_RETRY_S)
            finally:
                consumer.unsubscribe()

    async def read(self, partition: int, offsets: Sequence[int]) -> list[tuple[int, Record]]:
        """The audio topic's records at these offsets, in order, each with its own; deleted ones are left out."""
        consumer, here = self._started(), TopicPartition(AUDIO.name, partition)
        consumer.assign([here])
        try:
            return await _read(consumer, here, offsets)
        finally:
            consumer.unsubscribe()

    def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("the log of unfinished segments was not started")
        return self._consumer


async def _read(consumer: AIOKafkaConsumer, here: TopicPartition, offsets: Sequence[int]) -> list[tuple[int, Record]]:
    wanted, found, position = deque(offsets), list[tuple[int, Record]](), -1
    while wanted:
        if not position <= wanted[0] < position + _NEAR:
            consumer.seek(here, wanted[0])
        try:
            messages = (await consumer.getmany(here, timeout_ms=_POLL_MS, max_records=_NEAR)).get(here, [])
            if not messages and wanted[0] >= (await consumer.end_offsets([here]))[here]:
                break
        except KafkaError as error:
            _log.warning("topic not readable", topic=AUDIO.name, error=str(error) or type(error).__name__)
            await asyncio.sleep(_RETRY_S)
            continue
        for message in messages:
            while wanted and wanted[0] < message.offset:
                wanted.popleft()
            if wanted and wanted[0] == message.offset:
                found.append((wanted.popleft(), record_of(message)))
            position = message.offset + 1
    return found


def _segment(message: Any) -> UnfinishedSegment | None:
    if message.value is None:
        return None
    try:
        return UnfinishedSegment.from_record(record_of(message))
    except ContractError as error:
        _log.warning("record ignored", topic=UNFINISHED.name, offset=message.offset, error=str(error))
        return None
