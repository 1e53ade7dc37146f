"""The models topic: current assignments, and changes to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from connections.kafka import KafkaConnection
from schemas.artefact import Artefact
from schemas.assignment import Assignment
from schemas.errors import ContractError, SettingsError
from schemas.topics import MODELS
from tocsin.client.topic_reader import consumer_of, read_newest, read_to_end, record_of
from tocsin.client.topic_writer import write_records
from tocsin.diagnostics import log_skipped_record

Change = Callable[[Assignment | None, int], Assignment]


@dataclass(frozen=True, slots=True)
class Announcement:
    """A change that was written to the topic.

    Attributes:
        assignment: the new record.
        concurrent: a change by another user between our read and our write; one of the two may have overwritten the
            other. None if there was none.
    """

    assignment: Assignment
    concurrent: Assignment | None


async def read_assignments(bootstrap: KafkaConnection) -> dict[str, Assignment]:
    """The newest assignment by key, in the order of the keys.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    return await read_newest(bootstrap, MODELS, Assignment, "assignment")


async def announce(bootstrap: KafkaConnection, key: str, change: Change) -> Announcement:
    """Changes the newest record under a key.

    Kafka has no compare and set. The topic is read again after the write, to report a concurrent change of the same
    key.

    Args:
        bootstrap: the connection to Kafka.
        key: ``<detector>/<scope>``.
        change: makes the new record from the newest one and the time, nanoseconds since 1970.

    Raises:
        UserError: ``change`` refuses.
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    current = (await read_assignments(bootstrap)).get(key)
    assignment = change(current, time.time_ns())
    await write_records(bootstrap, [(MODELS, assignment.to_record())])
    others = [
        other
        for other in await _history(bootstrap, key)
        if other.revision >= assignment.revision and other.event_id() != assignment.event_id()
    ]
    return Announcement(assignment, others[-1] if others else None)


def assignment_of(assignments: dict[str, Assignment], key: str) -> Assignment:
    """The assignment under a key.

    Raises:
        SettingsError: there is no assignment under the key.
    """
    if key not in assignments:
        known = f"there are {', '.join(assignments)}" if assignments else "no model was ever published"
        raise SettingsError(f"no model is assigned to {key!r}; {known}")
    return assignments[key]


def artefacts_of(assignments: dict[str, Assignment]) -> dict[str, Artefact]:
    """Every artefact that an assignment names, by digest."""
    return {
        artefact.sha256: artefact
        for assignment in assignments.values()
        for artefact in (*assignment.previous, assignment.shadow, assignment.champion)
        if artefact is not None
    }


async def _history(bootstrap: KafkaConnection, key: str) -> list[Assignment]:
    """The assignments under a key that the topic still holds, oldest first."""
    found: list[Assignment] = []
    async with consumer_of(bootstrap, [MODELS]) as consumer:
        async for message in read_to_end(consumer):
            if message.value is None:
                continue
            try:
                assignment = Assignment.from_record(record_of(message))
            except ContractError as error:
                log_skipped_record(message, "assignment", error)
                continue
            if assignment.key() == key:
                found.append(assignment)
    return found
