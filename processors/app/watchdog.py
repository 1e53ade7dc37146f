"""The watchdog: notices that a worker with work to do handles none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from schemas.topics import AUDIO

_log = structlog.get_logger(__name__)

_INTERVAL_S = 10.0


@dataclass(slots=True)
class StallDetector:
    """Notices that nothing is handled although there is work.

    Consumers that fall silent without an error are a recurring report; only the end of the process cures them.

    Attributes:
        stall_s: how long work may wait without any being done, seconds.
    """

    stall_s: float
    _handled: int = -1
    _since: float = 0.0

    def is_stalled(self, handled: int, *, behind: bool, now: float) -> bool:
        """Whether work has waited for longer than ``stall_s`` and nothing was handled meanwhile.

        Args:
            handled: batches handled so far.
            behind: whether there is work now.
            now: seconds, monotonic.
        """
        if not behind or handled != self._handled:
            self._handled, self._since = handled, now
        return now - self._since > self.stall_s


async def watch(
    detector: StallDetector,
    handled: Callable[[], int],
    is_behind: Callable[[], Awaitable[bool]],
    is_stopping: Callable[[], bool],
) -> bool:
    """Looks every 10 s; returns True once the worker is stalled, False once it is stopping.

    Args:
        detector: the rule.
        handled: batches handled so far.
        is_behind: whether there is work now.
        is_stopping: whether the worker is.
    """
    while not is_stopping():
        await asyncio.sleep(_INTERVAL_S)
        behind = await is_behind()
        if detector.is_stalled(handled(), behind=behind, now=asyncio.get_running_loop().time()):
            return True
    return False


async def unread_records(consumer: Any) -> int | None:
    """Records of Faust's consumer's partitions that Kafka holds and that were not fetched.

    Returns:
        None where Kafka does not say.
    """
    try:
        async with asyncio.timeout(_INTERVAL_S):
            mine = [tp for tp in consumer.assignment() if tp.topic == AUDIO.name]
            ends = await consumer.highwaters(*mine) if mine else {}
            positions = {tp: await consumer.position(tp) for tp in mine}
            unread: int = sum(max(0, ends[tp] - (positions[tp] or 0)) for tp in mine)
            return unread
    except (KafkaError, TimeoutError) as error:
        _log.warning("Kafka does not say how far its topic goes", error=repr(error))
        return None
