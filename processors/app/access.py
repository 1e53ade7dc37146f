"""Rights that are taken away while a worker runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connections.kafka import KafkaConnection
from connections.rights import denied
from processors.app.shutdown import end_for_user
from schemas.access import rights_of

_INTERVAL_S = 30.0
_AGAIN_S = 5.0


async def watch_access(connection: KafkaConnection, group: str, is_stopping: Callable[[], bool]) -> None:
    """Asks Kafka every 30 s whether the worker still has its rights; ends the process once it has not.

    A connection that stands goes on after its user was removed, and Faust retries for ever where a right is missing.

    Args:
        connection: the worker's.
        group: its consumer group.
        is_stopping: whether the worker is.
    """
    rights = rights_of("worker", group)
    while not is_stopping():
        await asyncio.sleep(_INTERVAL_S)
        # Asked twice: a broker that starts may not know its users and rules yet.
        if await denied(connection, rights) is None:
            continue
        await asyncio.sleep(_AGAIN_S)
        if denial := await denied(connection, rights):
            end_for_user(denial)
