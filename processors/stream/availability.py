"""Whether the state store answers, and for how long it has not."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from schemas.errors import RedisUnavailable

_log = structlog.get_logger(__name__)
_RETRY_S = 1.0


class Availability:
    """Remembers an outage, and when the store is tried again.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self._retry_at = 0.0
        self._before = 0.0

    @property
    def is_away(self) -> bool:
        """Whether the store did not answer when last asked."""
        return self._since is not None

    @property
    def in_pause(self) -> bool:
        """Whether it did not answer a moment ago, and is not asked again yet."""
        return self._since is not None and self._clock() < self._retry_at

    @property
    def away_seconds(self) -> float:
        """How long it has not answered so far, in all, seconds."""
        return self._before + (0.0 if self._since is None else self._clock() - self._since)

    def away(self, error: RedisUnavailable) -> None:
        """It has not answered."""
        if self._since is None:
            _log.error("degraded: continuing with the last known thresholds", error=str(error))
            self._since = self._clock()
        self._retry_at = self._clock() + _RETRY_S

    def back(self) -> None:
        """It has answered."""
        if self._since is not None:
            _log.info("Redis answers again", away_s=round(self._clock() - self._since, 1))
            self._before += self._clock() - self._since
        self._since = None
