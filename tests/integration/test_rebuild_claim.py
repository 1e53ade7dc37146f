"""Lost states are rebuilt by one worker at a time, and one that dies delays no other: real Redis."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest
import redis.asyncio

from processors.adapters.redis import rebuild_lease as rebuild_claim
from processors.adapters.redis import redis_states
from processors.adapters.redis.redis_states import RedisStates
from tests.integration.oracle import start_group_at_end
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration

HOLDER = """
import asyncio, sys
from processors.adapters.redis.redis_states import RedisStates

async def hold():
    async with RedisStates(sys.argv[1]).claim() as mine:
        print(mine, flush=True)
        await asyncio.sleep(600)

asyncio.run(hold())
"""


@pytest.fixture
async def stores(redis_url: str) -> AsyncIterator[tuple[RedisStates, RedisStates]]:
    made = RedisStates(redis_url), RedisStates(redis_url)
    yield made
    for store in made:
        await store.close()


async def is_free(store: RedisStates) -> bool:
    async with store.claim() as mine:
        return mine


async def test_a_claim_lasts_as_long_as_its_holder(
    stores: tuple[RedisStates, RedisStates], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_states, "LEASE_S", 1)
    monkeypatch.setattr(rebuild_claim, "_RENEW_S", 0.2)
    one, other = stores

    async with one.claim() as mine:
        assert mine
        for _ in range(6):
            await asyncio.sleep(0.5)
            assert not await is_free(other)
    assert await is_free(other)


async def test_a_cancelled_holder_releases_the_claim(stores: tuple[RedisStates, RedisStates]) -> None:
    one, other = stores
    has = asyncio.Event()

    async def rebuild() -> None:
        async with one.claim():
            has.set()
            await asyncio.sleep(600)

    task = asyncio.create_task(rebuild())
    await has.wait()
    assert not await is_free(other)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await is_free(other)


async def test_a_killed_holder_delays_the_next_for_seconds_only(
    kafka: str, redis_url: str, group: str, start_worker: Callable[..., WorkerProcess]
) -> None:
    await start_group_at_end(kafka, group)
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.flushdb()
    await client.aclose()
    with subprocess.Popen([sys.executable, "-c", HOLDER, redis_url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        worker = start_worker()
        # Killed only when it is waited for: on a loaded machine a worker's start takes longer than the lease.
        try:
            async with asyncio.timeout(90.0):
                while "another worker reads the states back" not in worker.log.read_text():
                    await asyncio.sleep(0.2)
        finally:
            holder.kill()

    await worker.ready(rebuild_claim.LEASE_S + 30.0)
    assert "states read back from the scores" in worker.log.read_text()
