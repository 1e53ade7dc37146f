"""Outages of Kafka, logged once when they begin and once when they end."""

from __future__ import annotations

import logging
import time

import structlog

log = structlog.get_logger()


class AiokafkaLogFilter(logging.Filter):
    """Suppresses the Kafka client's warnings and remembers the last one.

    aiokafka logs more than a hundred errors a second while a broker is unavailable; :class:`Outage` logs one line with
    the last of them as the reason. Loggers set to DEBUG are not filtered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last_message = ""
        self._loggers: list[logging.Logger] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        self.last_message = record.getMessage()
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)

    def install(self) -> None:
        """Starts filtering."""
        # A filter applies to its own logger only, not to child loggers.
        names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "aiokafka"]
        self._loggers = [logging.getLogger(name) for name in names]
        for logger in self._loggers:
            logger.addFilter(self)

    def remove(self) -> None:
        """Stops filtering."""
        for logger in self._loggers:
            logger.removeFilter(self)


class Outage:
    """State of an outage, which is logged once.

    Args:
        address: Kafka's address, for the log.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._began: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether Kafka does not answer."""
        return self._began is not None

    def begin(self, reason: str, pending: int) -> None:
        """Logs that Kafka does not answer; repeated calls do nothing.

        Args:
            reason: last message of the client.
            pending: number of undelivered chunks.
        """
        if self._began is not None:
            return
        self._began = time.monotonic()
        details = f" ({reason.strip()})" if reason.strip() else ""
        log.warning(
            f"Kafka at {self.address} does not answer{details}: waiting for it with {pending} chunks in memory;"
            " start one with `tocsin up`, choose another with --kafka, or stop with Ctrl-C"
        )

    def end(self) -> None:
        """Logs that Kafka answers again, if there was an outage."""
        if self._began is None:
            return
        seconds = time.monotonic() - self._began
        self._began = None
        log.info(f"Kafka at {self.address} answers again after {seconds:.1f} s")
