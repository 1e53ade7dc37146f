"""Dead letters: the original record byte for byte, or as much of it as can be carried, and why it was rejected."""

from __future__ import annotations

from schemas.abridged import Abridged
from schemas.record import Record

PREFIX = "tocsin_error_"
_MAX_MESSAGE_BYTES = 1024


def dead_letter(record: Record, error: Exception, *, topic: str, partition: int, offset: int) -> Record:
    """The record for the dead letter topic: key, value and headers unchanged, then ``tocsin_error_*`` headers.

    Of a record that was too large to be carried whole, or a batch of them, it has the first bytes, and the facts of
    :class:`schemas.abridged.Abridged` as further headers.

    Args:
        record: the record that was rejected.
        error: why.
        topic, partition, offset: its position; a batch's is that of its first record.
    """
    added = {
        "class": type(error).__name__,
        "message": str(error),
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
    }
    if isinstance(record.value, Abridged):
        added |= {name: text for name, text in record.value.facts.items() if name not in ("reason", "first_offset")}
        added["offset"] = record.value.facts.get("first_offset", added["offset"])
    extra = tuple((PREFIX + name, _cut(text)) for name, text in added.items())
    return Record(record.key, record.value, record.headers + extra)


def _cut(text: str) -> bytes:
    """UTF-8 of at most ``_MAX_MESSAGE_BYTES``, whole characters only; a lone surrogate becomes a question mark."""
    return text.encode(errors="replace")[:_MAX_MESSAGE_BYTES].decode(errors="ignore").encode()


def original(letter: Record) -> Record | None:
    """The record as it was before it became a dead letter; None where the letter does not hold all of it."""
    ours = _own_headers(letter)
    if PREFIX + "abridged" in dict(letter.headers[ours:]):
        return None
    return Record(letter.key, letter.value, letter.headers[:ours])


def facts_of(letter: Record) -> dict[str, str]:
    """What a dead letter says of the record, by name without ``tocsin_error_``; see :func:`dead_letter`."""
    return {name.removeprefix(PREFIX): value.decode() for name, value in letter.headers[_own_headers(letter) :]}


def _own_headers(letter: Record) -> int:
    """Where the headers of the last :func:`dead_letter` begin: a dead letter of a dead letter keeps the earlier."""
    starts = [index for index, (name, _) in enumerate(letter.headers) if name == PREFIX + "class"]
    return starts[-1] if starts else len(letter.headers)
