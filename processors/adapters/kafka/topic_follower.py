"""A small topic of one partition, followed by every worker for itself: without a group, from its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from processors.adapters.kafka.records import read_any_header_name
from schemas.errors import ContractError
from schemas.topics import Topic

_log = structlog.get_logger(__name__)
_SETTLE_S = 5.0


class TopicFollower:
    """Hands every record on, in order.

    Args:
        bootstrap: Kafka's address.
        topic: of one partition.
        take: called for each message; a :class:`schemas.errors.ContractError` it raises is logged and passed over.
    """

    def __init__(self, bootstrap: str, topic: Topic, take: Callable[[Any], None]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._take = take
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Condition()

    async def start(self) -> None:
        """Reads the topic to its end, then follows it."""
        read_any_header_name()
        consumer = AIOKafkaConsumer(
            self._topic.name,
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        self._consumer = consumer
        self._task = asyncio.create_task(self._follow(consumer), name=self._topic.name)
        await self.settle()

    async def settle(self) -> bool:
        """Returns once all that stands on the topic now has been read, or False when that takes longer than 5 s."""
        consumer = self._consumer
        if consumer is None:
            return False
        partition = TopicPartition(self._topic.name, 0)
        try:
            async with asyncio.timeout(_SETTLE_S):
                end = (await consumer.end_offsets([partition]))[partition]
                async with self._moved:
                    while await consumer.position(partition) < end:
                        await self._moved.wait()
        except (KafkaError, TimeoutError) as error:
            _log.warning("topic not read to its end", topic=self._topic.name, error=str(error) or type(error).__name__)
            return False
        return True

    async def stop(self) -> None:
        """Stops following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                batches = await consumer.getmany(timeout_ms=500)
            except KafkaError as error:
                _log.warning("topic not readable", topic=self._topic.name, error=str(error))
                await asyncio.sleep(1.0)
                continue
            for message in (message for batch in batches.values() for message in batch):
                try:
                    self._take(message)
                except ContractError as error:
                    _log.warning("record ignored", topic=self._topic.name, offset=message.offset, error=str(error))
            async with self._moved:
                self._moved.notify_all()
