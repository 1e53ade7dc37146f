"""Logs: structlog, plain on a terminal, JSON elsewhere; the libraries' own logs pass a rate limit."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping

import structlog

from schemas.printable import printable

_INTERVAL_S = 30.0
_LIBRARIES = ("aiokafka", "faust", "mode", "asyncio")
# mode names a service's logger after the module of its class; the transport's class is ours.
_TRANSPORT = "processors.app.transport"


class RateLimit(logging.Filter):
    """Lets one record of each kind pass every 30 s: aiokafka writes over a hundred lines a second in an outage.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._next: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        kind = (record.pathname, record.lineno)
        now = self._clock()
        if now < self._next.get(kind, 0.0):
            return False
        self._next[kind] = now + _INTERVAL_S
        return True


def configure_logs(level: int = logging.INFO, *, json: bool | None = None) -> None:
    """Configures logging of this process; once, at its start.

    Args:
        level: of Tocsin's own records; libraries log from WARNING on.
        json: JSON lines; None: plain text on a terminal, else JSON.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                as_plain_text,
                renderer,
            ],
        )
    )
    handler.addFilter(_ours_or_limited(RateLimit()))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in (*_LIBRARIES, _TRANSPORT):
        logging.getLogger(name).setLevel(logging.WARNING)


def as_plain_text(
    _logger: structlog.typing.WrappedLogger, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Escapes what records and libraries put into a line; a traceback keeps its lines, which begin with a bar: none of
    them can pass for a record of its own."""
    for name, value in event.items():
        if name == "exception":
            event[name] = "\n".join(f"| {printable(line)}" for line in str(value).splitlines())
        elif not isinstance(value, bool | int | float | None):
            event[name] = _plain(value)
    return event


def _plain(value: object) -> object:
    """A value of a log line with all text in it escaped; lists and mappings stay such."""
    if isinstance(value, Mapping):
        return {printable(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | None) else printable(value)


def _ours_or_limited(limit: RateLimit) -> Callable[[logging.LogRecord], bool]:
    def passes(record: logging.LogRecord) -> bool:
        of_library = record.name == _TRANSPORT or record.name.partition(".")[0] in _LIBRARIES
        return not of_library or limit.filter(record)

    return passes
