"""What a command says on standard error beside its answer."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from schemas.errors import ContractError


def say(text: str) -> None:
    """One line on standard error, with the time where it goes to a file."""
    stamp = "" if sys.stderr.isatty() else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} "
    print(f"{stamp}{text}", file=sys.stderr, flush=True)


def say_passed_over(message: Any, what: str, error: ContractError) -> None:
    """Says which record of a topic was passed over, and why.

    Args:
        message: the client's record.
        what: it should have been, for people.
        error: what is wrong with it.
    """
    say(f"{message.topic}, partition {message.partition}, offset {message.offset}: no {what}: {error}")
