"""The monitor: looks every few seconds whether the worker can score and store, and how far it is behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiokafka.errors import KafkaError

from processors.adapters.metrics.health import Health
from processors.app.shutdown import end_for_user
from schemas.errors import AccessDenied, RedisUnavailable

_log = structlog.get_logger(__name__)

CHECKS = ("start", "partitions", "kafka", "redis", "batch")
"""What a worker needs to be ready; docs/operations.md says what each means."""
INTERVAL_S = 3.0
_SLOW_BATCH_S = 30.0
_BEHIND_S = 30.0
_BEHIND_EVERY_S = 60.0
_CHECK_S = 6.0


class Monitor:
    """Checks broker, store and progress.

    Args:
        health: where the results go.
        check_kafka: raises where the broker does not answer.
        check_redis: raises where the store does not answer or refuses to store.
        unread: records of the worker's partitions not fetched yet; None where Kafka does not say.
        batch_age_s: seconds since the running batch began.
        is_assigned: whether the group has given this worker its share of the partitions, which may be none.
        oldest_age_s: age of the oldest record that waits, by the broker's clock, seconds.

    Attributes:
        lag: records not fetched yet, as last seen; None before that is known.
    """

    def __init__(
        self,
        health: Health,
        check_kafka: Callable[[], Awaitable[None]],
        check_redis: Callable[[], Awaitable[None]],
        unread: Callable[[], Awaitable[int | None]],
        batch_age_s: Callable[[], float],
        is_assigned: Callable[[], bool],
        oldest_age_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._health = health
        self._check_kafka, self._check_redis = check_kafka, check_redis
        self._unread, self._batch_age_s, self._is_assigned = unread, batch_age_s, is_assigned
        self._oldest_age_s = oldest_age_s
        self._was_ready: bool | None = None
        self._behind_logged: float | None = None
        self._kafka_answers = False
        self.lag: int | None = None

    @property
    def is_caught_up(self) -> bool:
        """Whether the broker answered when last asked and nothing waited to be read."""
        return self._kafka_answers and self.lag == 0

    async def run(self) -> None:
        """Checks until cancelled."""
        health = self._health
        while True:
            health.beat()
            health.set("partitions", "" if self._is_assigned() else "the group has not assigned any yet")
            age = self._batch_age_s()
            health.set("batch", f"one has run for {age:.0f} s" if age > _SLOW_BATCH_S else "")
            results = await asyncio.gather(_reason(self._check_kafka), _reason(self._check_redis))
            for check, reason in zip(("kafka", "redis"), results, strict=True):
                health.set(check, reason)
            self._kafka_answers = not results[0]
            if self._is_assigned() and not results[0]:
                self.lag = await self._unread()
            self._report()
            self.report_lag(asyncio.get_running_loop().time())
            await asyncio.sleep(INTERVAL_S)

    def report_lag(self, now: float) -> None:
        """Logs once a minute that the worker is behind, and once that it no longer is.

        Args:
            now: seconds, monotonic.
        """
        age = self._oldest_age_s()
        if age > _BEHIND_S and self.lag:
            if self._behind_logged is None or now - self._behind_logged >= _BEHIND_EVERY_S:
                self._behind_logged = now
                _log.warning("behind: add workers, or CPUs", oldest_s=round(age), records=self.lag)
        elif self._behind_logged is not None and not self.lag:
            self._behind_logged = None
            _log.info("no longer behind")

    def _report(self) -> None:
        reasons = self._health.not_ready()
        if self._was_ready is not None and self._was_ready == bool(reasons):
            log = _log.warning if reasons else _log.info
            log("not ready" if reasons else "ready again", reasons=reasons)
        self._was_ready = not reasons


async def _reason(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except AccessDenied as denial:
        end_for_user(denial)
    except (KafkaError, RedisUnavailable, OSError, TimeoutError) as error:
        return str(error) or f"no answer ({type(error).__name__})"
    return ""
