"""Readiness of Kafka before a worker starts: the broker answers, every topic exists, and the worker has its rights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from connections.kafka import KafkaConnection
from connections.rights import Findings, examine, lacking_line
from schemas.access import Right
from schemas.errors import SettingsError

_RETRY_S = 2.0


async def wait_for_kafka(connection: KafkaConnection, rights: Iterable[Right], report: Callable[[str], None]) -> None:
    """Returns once the broker answers, every topic exists, and the client has the rights.

    Args:
        connection: address and security.
        rights: that the client needs; their topics must exist.
        report: called once when the broker does not answer, and once when it is back.

    Raises:
        AccessDenied: the broker refuses the client, or a right is missing.
        SettingsError: the broker answers and a topic is missing.
    """
    connection, rights = KafkaConnection.of(connection), tuple(rights)
    reported = False
    while (found := await _examine(connection, rights)) is None:
        if not reported:
            report(
                f"No Kafka broker answers at {connection}; waiting for it. Is the address right? `tocsin up` starts one"
            )
            reported = True
        await asyncio.sleep(_RETRY_S)
    if reported:
        report(f"The Kafka broker at {connection} answers")
    if denial := lacking_line(connection, found.lacking):
        raise denial
    if found.absent:
        raise SettingsError(
            f"the broker at {connection} has no topic {', '.join(found.absent)}: create them with"
            f" `tocsin topics --kafka {connection}`"
        )


async def _examine(connection: KafkaConnection, rights: tuple[Right, ...]) -> Findings | None:
    try:
        return await examine(connection, rights)
    except (IncompatibleBrokerVersion, NotImplementedError):  # it does not tell rights: older than Kafka 2.3
        return Findings((), ())
    except (KafkaError, OSError):
        return None
