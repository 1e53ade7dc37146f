"""Dead letters: the original record byte for byte, and why it was rejected."""

from __future__ import annotations

from schemas.errors import ContractError
from schemas.record import Record

PREFIX = "tocsin_error_"
_MAX_MESSAGE_BYTES = 1024


def dead_letter(record: Record, error: ContractError, *, topic: str, partition: int, offset: int) -> Record:
    """The record for the dead letter topic: key, value and headers unchanged, then ``tocsin_error_*`` headers.

    Args:
        record: the record that was rejected.
        error: why.
        topic, partition, offset: its position.
    """
    added = {
        "class": type(error).__name__,
        "message": str(error),
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
    }
    extra = tuple((PREFIX + name, _cut(text)) for name, text in added.items())
    return Record(record.key, record.value, record.headers + extra)


def _cut(text: str) -> bytes:
    """UTF-8 of at most ``_MAX_MESSAGE_BYTES``, whole characters only; a lone surrogate becomes a question mark."""
    return text.encode(errors="replace")[:_MAX_MESSAGE_BYTES].decode(errors="ignore").encode()


def original(record: Record) -> Record:
    """The record as it was before it became a dead letter."""
    starts = [index for index, (name, _) in enumerate(record.headers) if name == PREFIX + "class"]
    # The last run of our headers is ours; a dead letter of a dead letter keeps the earlier ones.
    return Record(record.key, record.value, record.headers[: starts[-1]] if starts else record.headers)
