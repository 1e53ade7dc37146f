"""The lease on rebuilding lost states: one worker at a time, free again soon after its holder dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio.lock import Lock

from schemas.errors import RedisUnavailable

LEASE_S = 15
"""Time after its holder's last renewal until the lease is free, seconds."""
_RENEW_S = 4.0


@asynccontextmanager
async def lease(lock: Lock, with_timeout: Callable[[Awaitable[Any]], Awaitable[Any]]) -> AsyncIterator[bool]:
    """Holds a lock for as long as the block lasts: it is renewed meanwhile, and released afterwards.

    A lock that expires all the same, with Redis unavailable, lets another worker rebuild too: that costs time only,
    since states in the store are never replaced.

    Args:
        lock: with a timeout of :data:`LEASE_S`, not blocking.
        with_timeout: awaits a call to Redis within a bound.

    Yields:
        Whether the caller holds it; False where another does.

    Raises:
        RedisUnavailable: Redis does not answer when the lock is acquired.
    """
    if not await with_timeout(lock.acquire()):
        yield False
        return
    renewing = asyncio.create_task(_renew(lock, with_timeout))
    try:
        yield True
    finally:
        renewing.cancel()
        with suppress(RedisUnavailable):
            await with_timeout(lock.release())


async def _renew(lock: Lock, with_timeout: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
    while True:
        await asyncio.sleep(_RENEW_S)
        with suppress(RedisUnavailable):
            await with_timeout(lock.reacquire())
