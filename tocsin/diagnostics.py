"""Diagnostic lines on standard error, beside a command's output."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import structlog

from processors.app.logs import as_plain_text
from schemas.errors import ContractError, ModelRefused
from tocsin.terminal import print_error


def log_line(text: str) -> None:
    """Prints one line on standard error, with a timestamp unless it is a terminal."""
    stamp = "" if sys.stderr.isatty() else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} "
    print_error(f"{stamp}{text}")


def configure_command_logs(level: str) -> None:
    """Sends what the worker's code logs while a command uses it to standard error, one line each.

    Args:
        level: the lowest to show.
    """
    structlog.configure(
        processors=[structlog.processors.format_exc_info, as_plain_text, _as_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        # By the call, not once: whoever replaces standard error gets the lines.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _as_line(_logger: structlog.typing.WrappedLogger, _name: str, event: structlog.typing.EventDict) -> str:
    text, trace = event.pop("event", ""), event.pop("exception", None)
    stamp = "" if sys.stderr.isatty() else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} "
    values = ", ".join(f"{name}={value}" for name, value in event.items())
    return f"{stamp}{text}" + (f": {values}" if values else "") + (f"\n{trace}" if trace else "")


def log_skipped_record(message: Any, expected: str, error: ContractError | ModelRefused) -> None:
    """Reports that a record of a topic was skipped, and why.

    Args:
        message: the Kafka client's record.
        expected: what the record should have been, for people.
        error: what is wrong with it.
    """
    where = f"{message.topic}, partition {message.partition}, offset {message.offset}"
    log_line(f"{where}: not a valid {expected}, skipped: {error}")
