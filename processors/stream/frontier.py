"""The frontiers of a worker's partitions: how they advance past devices that hold them back, and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import structlog

from processors.core.offsets.partition import Partition
from processors.stream.accounting import Accounting
from processors.stream.unfinished import Acknowledge, UnfinishedLog
from schemas.unfinished import MAX_CHUNKS

_log = structlog.get_logger(__name__)

_SHARE = 16
"""The part of the bound that is freed beyond what is needed, so that not every batch frees some."""


class Frontiers:
    """Stores unfinished segments of devices that hold commits back, and acknowledges what is done.

    Args:
        log: of unfinished segments.
        accounting: counts what happens.
        clock: seconds, monotonic; for how long a partition has had no records.
        window_bytes: bound on the unfinished windows in memory; the streams longest silent leave it, and come back.
    """

    def __init__(
        self, log: UnfinishedLog, accounting: Accounting, clock: Callable[[], float], window_bytes: int
    ) -> None:
        self._log = log
        self._accounting = accounting
        self._clock = clock
        self._window_bytes = window_bytes
        self._handled_at: dict[int, float] = {}

    def handled(self, numbers: Iterable[int]) -> None:
        """Records of these partitions were handled, and what they caused is confirmed."""
        self._handled_at |= dict.fromkeys(numbers, self._clock())

    async def advance(
        self,
        partitions: Sequence[Partition[Acknowledge]],
        assigned: Collection[Partition[Acknowledge]],
        is_current: Callable[[], bool],
    ) -> None:
        """Lets the frontiers of partitions advance, after the outputs of their records are confirmed.

        A stored segment says that every earlier window of its device is stored.

        Args:
            partitions: see above.
            assigned: these and the worker's others.
            is_current: False once the partitions were revoked; then nothing is acknowledged.
        """
        given_up = sum(partition.given_up for partition in partitions)
        excess = sum(partition.size_bytes for partition in assigned) - self._window_bytes
        for partition in partitions:
            if excess > 0:
                partition.shrink(excess + self._window_bytes // _SHARE)
                excess -= partition.size_bytes
        now, overdue = self._clock(), []
        for partition in partitions:
            quiet_ms = int(1_000 * (now - self._handled_at.get(partition.number, now)))
            overdue += [(partition, segment) for segment in partition.overdue(quiet_ms)]
        if given_up := sum(partition.given_up for partition in partitions) - given_up:
            _log.warning("segments given up: send longer chunks", count=given_up, most_chunks=MAX_CHUNKS)
        if overdue:
            await self._log.store([segment for _, segment in overdue])
            if not is_current():
                return
            for partition, segment in overdue:
                partition.store(segment)
        for partition in partitions:
            for acknowledge in partition.release():
                acknowledge()
                self._accounting.counts.acknowledged += 1
            for stream in partition.take_dropped():
                self._accounting.closed(stream)
