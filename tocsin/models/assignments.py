"""The models topic: current assignments, and changes to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connections.kafka import KafkaConnection
from processors.adapters.models.announcements import Announcements, sign_record, verify_record
from schemas.artefact import Artefact
from schemas.assignment import Assignment
from schemas.errors import ContractError, ModelRefused, SettingsError
from schemas.topics import MODELS
from tocsin.client.topic_reader import consumer_of, read_newest, read_to_end, record_of
from tocsin.client.topic_writer import write_records
from tocsin.diagnostics import log_skipped_record

Trusted = Sequence[Ed25519PublicKey]

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


async def read_assignments(bootstrap: KafkaConnection, trusted: Trusted = ()) -> dict[str, Assignment]:
    """The assignment that applies to each key, in the order of the keys.

    Args:
        bootstrap: the connection to Kafka.
        trusted: with keys, only what is signed with one of them counts, as on workers; the rest is reported.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    if not trusted:
        return await read_newest(bootstrap, MODELS, Assignment, "assignment")
    found: dict[str, Assignment] = {}
    for assignment in await _history(bootstrap, None, trusted):
        found[assignment.key()] = assignment
    return dict(sorted(found.items()))


async def announce(
    bootstrap: KafkaConnection,
    key: str,
    change: Change,
    sign_with: Ed25519PrivateKey | None = None,
    trusted: Trusted = (),
) -> Announcement:
    """Changes the newest record under a key.

    Kafka has no compare and set. The topic is read again after the write, to report a concurrent change of the same
    key.

    Args:
        bootstrap: the connection to Kafka.
        key: ``<detector>/<scope>``.
        change: makes the new record from the newest one and the time, nanoseconds since 1970.
        sign_with: the key to sign the record with; None leaves it unsigned.
        trusted: keys of which one must have signed the newest record, and the new one; without any, none is needed.

    Raises:
        UserError: ``change`` refuses.
        Unsigned, WrongSignature: workers that trust these keys would ignore the change; nothing is announced.
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    current = (await read_assignments(bootstrap, trusted)).get(key)
    # Later than what it replaces, whatever this machine's clock says: workers take an older one for a replay.
    assignment = change(current, max(time.time_ns(), 0 if current is None else current.announced_ns + 1))
    record = assignment.to_record()
    if sign_with is not None:
        record = sign_record(record, sign_with)
    if trusted:
        verify_record(record, trusted)
    await write_records(bootstrap, [(MODELS, record)])
    others = [
        other
        for other in await _history(bootstrap, key, trusted)
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


async def _history(bootstrap: KafkaConnection, key: str | None, trusted: Trusted) -> list[Assignment]:
    """The assignments under a key, or all, that the topic still holds, oldest first; with keys, those that apply."""
    found: list[Assignment] = []
    announcements = Announcements(trusted)
    async with consumer_of(bootstrap, [MODELS]) as consumer:
        async for message in read_to_end(consumer):
            if message.value is None:
                continue
            try:
                record = record_of(message)
                assignment = Assignment.from_record(record)
                announcements.accept(assignment, record)
            except (ContractError, ModelRefused) as error:
                log_skipped_record(message, "assignment", error)
                continue
            if key in (None, assignment.key()):
                found.append(assignment)
    return found
