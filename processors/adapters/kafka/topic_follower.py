"""A small topic of one partition, followed by every worker for itself: without a group, from its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connections.kafka import KafkaConnection
from processors.adapters.kafka.side_consumer import side_consumer
from schemas.errors import ContractError
from schemas.topics import Topic

_log = structlog.get_logger(__name__)
_CATCH_UP_S = 5.0
_POLL_MS = 500
_RETRY_S = 1.0


class TopicFollower:
    """Applies every message of a topic, in order.

    Args:
        bootstrap: the connection to Kafka.
        topic: of one partition.
        apply: called for each message; a :class:`schemas.errors.ContractError` it raises is logged and the message
            ignored.
    """

    def __init__(self, bootstrap: KafkaConnection, topic: Topic, apply: Callable[[Any], None]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._apply = apply
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._progress = asyncio.Condition()

    async def start(self) -> None:
        """Reads the topic to its end, then follows it."""
        consumer = side_consumer(self._bootstrap, self._topic)
        await consumer.start()
        self._consumer = consumer
        self._task = asyncio.create_task(self._follow(consumer), name=self._topic.name)
        await self.catch_up()

    async def catch_up(self) -> bool:
        """Returns once the topic is applied up to its present end; False when that takes longer than 5 s."""
        consumer = self._consumer
        if consumer is None:
            return False
        partition = TopicPartition(self._topic.name, 0)
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                end = (await consumer.end_offsets([partition]))[partition]
                async with self._progress:
                    while await consumer.position(partition) < end:
                        await self._progress.wait()
        except (KafkaError, TimeoutError) as error:
            _log.warning("topic not read to its end", topic=self._topic.name, error=str(error) or type(error).__name__)
            return False
        return True

    async def check_broker(self) -> None:
        """Asks the broker for the topic's end.

        Raises:
            KafkaError, TimeoutError: it does not answer, or the follower has not started.
        """
        if self._consumer is None:
            raise TimeoutError("not connected yet")
        async with asyncio.timeout(_CATCH_UP_S):
            await self._consumer.end_offsets([TopicPartition(self._topic.name, 0)])

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
                batches = await consumer.getmany(timeout_ms=_POLL_MS)
            except KafkaError as error:
                _log.warning("topic not readable", topic=self._topic.name, error=str(error))
                await asyncio.sleep(_RETRY_S)
                continue
            for message in (message for batch in batches.values() for message in batch):
                try:
                    self._apply(message)
                except ContractError as error:
                    _log.warning("record ignored", topic=self._topic.name, offset=message.offset, error=str(error))
                except Exception:
                    # Any error: a record must not end the follower.
                    _log.exception("record ignored", topic=self._topic.name, offset=message.offset)
            async with self._progress:
                self._progress.notify_all()
