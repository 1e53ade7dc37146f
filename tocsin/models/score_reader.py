"""Scores read back from the scores topic."""

from __future__ import annotations

import sys
from collections.abc import Callable

from schemas.errors import ContractError
from schemas.score import Score
from schemas.topics import SCORES
from tocsin.topic_reader import consumer_of, read_to_end, record_of


async def read_scores(
    bootstrap: str, detector: str, since_ms: int, progress: Callable[[int], None] = lambda _: None
) -> list[Score]:
    """A detector's scores since a moment, as they stand on the topic.

    Args:
        bootstrap: Kafka's address.
        detector: whose.
        since_ms: milliseconds since 1970, by the broker's clock.
        progress: told how many records were read, now and then.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.topic_reader.consumer_of`.
    """
    found: list[Score] = []
    async with consumer_of(bootstrap, [SCORES]) as consumer:
        partitions = list(consumer.assignment())
        starts = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        for partition in partitions:
            if starts[partition] is not None:
                consumer.seek(partition, starts[partition].offset)
            else:
                await consumer.seek_to_end(partition)
        read = 0
        async for message in read_to_end(consumer):
            read += 1
            if read % 1_000 == 0:
                progress(read)
            try:
                score = Score.from_record(record_of(message))
            except ContractError as error:
                print(f"offset {message.offset} of partition {message.partition} is no score: {error}", file=sys.stderr)
                continue
            if score.detector == detector:
                found.append(score)
    return found
