"""Workers' statuses of announced models."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from connections.kafka import KafkaConnection, client_options
from schemas.assignment import Assignment, ModelStatus
from schemas.errors import ContractError
from schemas.topics import MODEL_STATUS
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of

_GROUP_S = 5.0
# How long to wait for further reports when the number of workers is unknown.
_MORE_REPORTS_S = 2.0
_POLL_S = 0.25


async def newest_statuses(bootstrap: KafkaConnection) -> list[ModelStatus]:
    """The newest status of each worker for each detector, scope and stage, oldest first.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    found: dict[tuple[str, str, str], ModelStatus] = {}
    async with consumer_of(bootstrap, [MODEL_STATUS]) as consumer:
        async for message in read_to_end(consumer):
            status = _status(message)
            if status is not None:
                found[status.worker, status.key(), status.stage] = status
    return sorted(found.values(), key=lambda status: status.at_ns)


def statuses_of(statuses: Sequence[ModelStatus], assignment: Assignment) -> list[ModelStatus]:
    """The statuses of an assignment's present models: the newest of each worker and stage."""
    artefacts = {"champion": assignment.champion, "shadow": assignment.shadow}
    newest: dict[tuple[str, str], ModelStatus] = {}
    for status in statuses:
        artefact = artefacts[status.stage]
        if status.key() == assignment.key() and artefact is not None and artefact.sha256 == status.sha256:
            newest[status.worker, status.stage] = status
    return list(newest.values())


async def wait_for_statuses(
    bootstrap: KafkaConnection, assignment: Assignment, seconds: float, workers: int | None
) -> list[ModelStatus]:
    """Waits until workers have reported on an assignment.

    Args:
        bootstrap: the connection to Kafka.
        assignment: as announced.
        seconds: longest wait.
        workers: number of reports to wait for; None waits for the first one and two seconds more.

    Returns:
        The newest status of each worker and stage, of this revision.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    stages = [artefact for artefact in (assignment.champion, assignment.shadow) if artefact is not None]
    if not stages:
        return []
    received: dict[tuple[str, str], ModelStatus] = {}
    until = time.monotonic() + seconds

    def decided() -> int:
        return sum(status.state != "waiting" for status in received.values())

    async with consumer_of(bootstrap, [MODEL_STATUS]) as consumer:
        while (left := until - time.monotonic()) > 0 and (workers is None or decided() < len(stages) * workers):
            batches = await consumer.getmany(timeout_ms=round(min(left, _POLL_S) * 1_000))
            for message in (message for batch in batches.values() for message in batch):
                status = _status(message)
                if status is None or (status.key(), status.revision) != (assignment.key(), assignment.revision):
                    continue
                received[status.worker, status.stage] = status
                if workers is None and decided() == len(stages):
                    until = min(until, time.monotonic() + _MORE_REPORTS_S)
    return sorted(received.values(), key=lambda status: (status.worker, status.stage))


async def count_workers(bootstrap: KafkaConnection, group: str) -> int | None:
    """Present members of the workers' consumer group; None if unknown or none."""
    admin = AIOKafkaAdminClient(**client_options(bootstrap), request_timeout_ms=5_000)
    try:
        async with asyncio.timeout(_GROUP_S):
            await admin.start()
            (described,) = await admin.describe_consumer_groups([group])
            return sum(len(entry[5]) for entry in described.groups) or None
    except (KafkaError, OSError, TimeoutError):
        return None
    finally:
        await admin.close()


def _status(message: Any) -> ModelStatus | None:
    try:
        return ModelStatus.from_record(record_of(message))
    except ContractError:
        return None
