"""A record, or a batch of them, of which only the beginning was read: too large to be carried whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from schemas.errors import OversizedRecord
from schemas.record import Record

HEAD_BYTES = 1_024
"""How much of a key or a value an abridged record holds, bytes."""


class Abridged(bytes):
    """The first bytes of a value that was not carried whole.

    Attributes:
        facts: what is known of the whole, by name, as text; a dead letter says it under ``tocsin_error_<name>``.
            ``abridged`` is ``record`` or ``batch``, ``reason`` is for people, ``size`` and ``sha256`` are the whole
            value's (of a batch: of its records as they are stored), ``first_offset`` and ``last_offset`` a batch's.
            ``key_size`` and ``key_sha256`` follow where the key was cut; ``headers``, their number, ``headers_size``
            and ``headers_sha256``, of their encoding in the record, where headers were left out.
    """

    facts: Mapping[str, str]

    def __new__(cls, head: bytes, facts: Mapping[str, str]) -> Abridged:
        made = super().__new__(cls, head[:HEAD_BYTES])
        made.facts = dict(facts)
        return made


def digest_facts(data: bytes | memoryview | None, prefix: str = "") -> dict[str, str]:
    """Size and sha256 of what is not carried whole; a null value has the size ``null``.

    Args:
        data: all of it.
        prefix: of the names.
    """
    if data is None:
        return {f"{prefix}size": "null"}
    return {f"{prefix}size": str(len(data)), f"{prefix}sha256": hashlib.sha256(data).hexdigest()}


def check_whole(record: Record) -> None:
    """Refuses a record of which only the beginning was read.

    Raises:
        OversizedRecord: it is one.
    """
    if isinstance(record.value, Abridged):
        raise OversizedRecord(f"{record.value.facts.get('reason', 'not read whole')}: send less at once")
