"""The models topic: what is assigned, and changes to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from schemas.artefact import Artefact
from schemas.assignment import Assignment
from schemas.errors import ContractError, SettingsError
from schemas.topics import MODELS
from tocsin.client.topic_reader import consumer_of, read_newest, read_to_end, record_of
from tocsin.client.topic_writer import write_records
from tocsin.diagnostics import say_passed_over

Change = Callable[[Assignment | None, int], Assignment]


@dataclass(frozen=True, slots=True)
class Announced:
    """A change that stands on the topic.

    Attributes:
        assignment: the new record.
        meanwhile: what somebody else wrote between our reading and our writing; their change may be lost in ours, or
            ours in theirs. None where nobody did.
    """

    assignment: Assignment
    meanwhile: Assignment | None


async def read_assignments(bootstrap: str) -> dict[str, Assignment]:
    """The newest assignment by key, in the order of the keys.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    return await read_newest(bootstrap, MODELS, Assignment, "assignment")


async def announce(bootstrap: str, key: str, change: Change) -> Announced:
    """Changes the newest record under a key.

    Kafka has no compare and set. The topic is read again after the write, so that two people who change the same thing
    in the same second are told.

    Args:
        bootstrap: Kafka's address.
        key: ``<detector>/<scope>``.
        change: makes the new record of the newest one and the time, nanoseconds since 1970.

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
    return Announced(assignment, others[-1] if others else None)


def named(assignments: dict[str, Assignment], key: str) -> Assignment:
    """The assignment under a key.

    Raises:
        SettingsError: there is none.
    """
    if key not in assignments:
        there = f"there are {', '.join(assignments)}" if assignments else "none was ever published"
        raise SettingsError(f"nothing is assigned to {key!r}; {there}")
    return assignments[key]


def artefacts_of(assignments: dict[str, Assignment]) -> dict[str, Artefact]:
    """Every artefact that an assignment names, by digest."""
    return {
        artefact.sha256: artefact
        for assignment in assignments.values()
        for artefact in (*assignment.previous, assignment.shadow, assignment.champion)
        if artefact is not None
    }


async def _history(bootstrap: str, key: str) -> list[Assignment]:
    """The assignments under a key that the topic still holds, oldest first."""
    found: list[Assignment] = []
    async with consumer_of(bootstrap, [MODELS]) as consumer:
        async for message in read_to_end(consumer):
            if message.value is None:
                continue
            try:
                assignment = Assignment.from_record(record_of(message))
            except ContractError as error:
                say_passed_over(message, "assignment", error)
                continue
            if assignment.key() == key:
                found.append(assignment)
    return found
