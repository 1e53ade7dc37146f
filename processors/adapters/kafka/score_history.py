"""Scores read back from the scores topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import structlog
from aiokafka import AIOKafkaConsumer

from processors.adapters.kafka.messages import key_of, read_to_end, record_of
from schemas.errors import ContractError
from schemas.score import Score

_log = structlog.get_logger(__name__)
_REPORT_EVERY = 1_000


async def scores_since(
    consumer: AIOKafkaConsumer,
    since_ms: int,
    wanted: Callable[[str], bool] = lambda _: True,
    progress: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Score]:
    """Scores from a moment to the present end of the topic, each once, those of one device in order.

    Args:
        consumer: of all partitions, started.
        since_ms: by the broker's clock, milliseconds since 1970.
        wanted: whether a device is.
        progress: called with the number of records read, every thousand.

    Raises:
        aiokafka.errors.KafkaError: Kafka does not answer.
    """
    partitions = list(consumer.assignment())
    ends = await consumer.end_offsets(partitions)
    starts = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
    for tp in partitions:
        consumer.seek(tp, ends[tp] if starts[tp] is None else starts[tp].offset)
    newest: dict[tuple[str, str, str], tuple[str, int]] = {}
    read = 0
    async for message in read_to_end(consumer):
        read += 1
        if read % _REPORT_EVERY == 0:
            progress(read)
        if not wanted(key_of(message)):
            continue
        try:
            score = Score.from_record(record_of(message))
        except ContractError as error:
            _log.warning("not a score", partition=message.partition, offset=message.offset, error=str(error))
            continue
        # What was sent again after a crash ends no later than what came before in its session.
        key = (score.device_id, score.detector, score.stage)
        session, end = newest.get(key, ("", -1))
        if score.session_id != session or score.end_sample > end:
            newest[key] = (score.session_id, score.end_sample)
            yield score
