"""An outage of Kafka, told once when it begins and once when it ends."""

from __future__ import annotations

import logging
import time

import structlog

log = structlog.get_logger()


class AiokafkaLogFilter(logging.Filter):
    """Holds back the Kafka client's warnings and keeps the last one.

    aiokafka writes more than a hundred error lines a second while a broker is away; one line of ours, with the last of
    theirs as the reason, says as much. Loggers set to DEBUG are left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._loggers: list[logging.Logger] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        self.text = record.getMessage()
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)

    def listen(self) -> None:
        """Begins to hold back."""
        # A filter sees only what its own logger writes, not the loggers below it.
        names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "aiokafka"]
        self._loggers = [logging.getLogger(name) for name in names]
        for logger in self._loggers:
            logger.addFilter(self)

    def leave(self) -> None:
        """Ends it."""
        for logger in self._loggers:
            logger.removeFilter(self)


class Outage:
    """Whether Kafka is away, and what has been said of it.

    Args:
        bootstrap: where Kafka should be, for people.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._began: float | None = None

    def away(self, reason: str, waiting: int) -> None:
        """Kafka does not answer; said once an outage.

        Args:
            reason: what the client said last.
            waiting: chunks that wait for it.
        """
        if self._began is not None:
            return
        self._began = time.monotonic()
        why = f" ({reason.strip()})" if reason.strip() else ""
        log.warning(
            f"Kafka at {self.bootstrap} does not answer{why}: waiting for it with {waiting} chunks in memory;"
            " start one with `tocsin up`, name another with --kafka, or end with Ctrl-C"
        )

    def back(self) -> None:
        """Kafka answers."""
        if self._began is None:
            return
        seconds = time.monotonic() - self._began
        self._began = None
        log.info(f"Kafka at {self.bootstrap} answers again after {seconds:.1f} s")
