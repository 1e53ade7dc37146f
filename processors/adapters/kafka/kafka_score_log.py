"""The scores topic as the log of what was decided: read back by partition of the audio topic."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import murmur2

from connections.kafka import KafkaConnection
from processors.adapters.kafka.messages import key_of, read_to_end, record_of
from processors.adapters.kafka.score_log import LoggedScores
from processors.adapters.kafka.side_consumer import READ_WAIT_MS, side_consumer
from schemas.alert import Alert
from schemas.errors import ContractError
from schemas.score import Score
from schemas.topics import ALERT_STATE, SCORES

_log = structlog.get_logger(__name__)

SINCE_MS = 7 * 24 * 3_600_000
"""How far back scores are read: after a week a device's thresholds rest on its own sound alone."""
MAX_SCORES = 1_000_000
"""How many scores of a partition are read at most, the newest."""
_POLL_MS = 250


class KafkaScoreLog:
    """See :class:`processors.adapters.kafka.score_log.ScoreLog`. The scores of an audio partition are in one partition.

    Args:
        bootstrap: the connection to Kafka.
    """

    def __init__(self, bootstrap: KafkaConnection) -> None:
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._topic = ""
        self._count = 1

    async def start(self) -> None:
        """Connects; to be called before anything else.

        Raises:
            aiokafka.errors.KafkaError: Kafka does not answer.
        """
        consumer = side_consumer(self._bootstrap, SCORES, fetch_max_wait_ms=READ_WAIT_MS)
        await consumer.start()
        partitions = consumer.assignment()
        self._topic, self._count = next(iter(partitions)).topic, len(partitions)
        consumer.unsubscribe()
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnects."""
        if self._consumer is not None:
            await self._consumer.stop()

    def partition_of(self, audio_partition: int) -> int:
        """The partition of the scores topic for the devices of a partition of the audio topic."""
        return audio_partition % self._count

    async def read(self, partition: int, since: int | None) -> AsyncIterator[LoggedScores]:
        """See the port."""
        if self._consumer is None:
            raise RuntimeError("the score log was not started")
        consumer, place = self._consumer, TopicPartition(self._topic, self.partition_of(partition))
        consumer.assign([place])
        try:
            end = (await consumer.end_offsets([place]))[place]
            consumer.seek(place, await self._start(consumer, place, since, end))
            while await consumer.position(place) < end:
                messages = (await consumer.getmany(place, timeout_ms=_POLL_MS)).get(place, [])
                yield LoggedScores(
                    [score for one in messages for score in _scores(one)], await consumer.position(place)
                )
            yield LoggedScores((), await consumer.position(place))
        finally:
            consumer.unsubscribe()

    async def open_alerts(self, partition: int) -> Sequence[Alert]:
        """See the port."""
        return [alert for alert in await self.last_alerts((partition,)) if alert.state != "closed"]

    async def last_alerts(self, partitions: Collection[int]) -> Sequence[Alert]:
        """The last revisions of the alerts on partitions' devices, open or closed.

        Raises:
            aiokafka.errors.KafkaError: Kafka does not answer.
        """
        wanted = {self.partition_of(partition) for partition in partitions}
        consumer = side_consumer(self._bootstrap, ALERT_STATE, fetch_max_wait_ms=READ_WAIT_MS)
        await consumer.start()
        newest: dict[str, Alert] = {}
        try:
            async for message in read_to_end(consumer):
                device = key_of(message).rpartition("/")[0].encode()
                if (murmur2(device) & 0x7FFFFFFF) % self._count not in wanted:
                    continue
                newest.pop(key_of(message), None)
                try:
                    if message.value is not None:
                        newest[key_of(message)] = Alert.from_record(record_of(message))
                except ContractError as error:
                    _log.warning("not an alert", topic=ALERT_STATE.name, offset=message.offset, error=str(error))
        finally:
            await consumer.stop()
        return list(newest.values())

    @staticmethod
    async def _start(consumer: AIOKafkaConsumer, place: TopicPartition, since: int | None, end: int) -> int:
        first: int = (await consumer.beginning_offsets([place]))[place]
        if since is not None and since <= end:
            return max(first, since)
        week_ago = round(time.time() * 1_000) - SINCE_MS
        found = (await consumer.offsets_for_times({place: week_ago}))[place]
        return max(first, end - MAX_SCORES, end if found is None else found.offset)


def _scores(message: object) -> list[Score]:
    try:
        return [Score.from_record(record_of(message))]
    except ContractError as error:
        where = {"partition": getattr(message, "partition", None), "offset": getattr(message, "offset", None)}
        _log.warning("not a score", error=str(error), **where)
        return []
