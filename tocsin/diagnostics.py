"""Diagnostic lines on standard error, beside a command's output."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from schemas.errors import ContractError


def log_line(text: str) -> None:
    """Prints one line on standard error, with a timestamp unless it is a terminal."""
    stamp = "" if sys.stderr.isatty() else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} "
    print(f"{stamp}{text}", file=sys.stderr, flush=True)


def log_skipped_record(message: Any, expected: str, error: ContractError) -> None:
    """Reports that a record of a topic was skipped, and why.

    Args:
        message: the Kafka client's record.
        expected: what the record should have been, for people.
        error: what is wrong with it.
    """
    where = f"{message.topic}, partition {message.partition}, offset {message.offset}"
    log_line(f"{where}: not a valid {expected}, skipped: {error}")
