"""Metrics and readiness of a real worker, while Redis works, refuses everything, and works again."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import redis.asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.fleet import RATE, Fleet
from tests.integration.oracle import start_group_at_end, wait_for
from tests.integration.worker_process import WorkerProcess
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]
SECONDS = 10.0


async def get(url: str, path: str) -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{url}{path}", timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(ask)


async def until(check: Callable[[], Awaitable[bool]], timeout: float = 30.0) -> None:
    async with asyncio.timeout(timeout):
        while not await check():
            await asyncio.sleep(0.2)


@asynccontextmanager
async def redis_refuses(url: str) -> AsyncIterator[None]:
    """A Redis that answers and stores nothing: it is full."""
    client = redis.asyncio.Redis.from_url(url)
    try:
        await client.config_set("maxmemory", "1")
        yield
    finally:
        await client.config_set("maxmemory", "0")
        await client.aclose()


async def test_a_worker_counts_all_sound_and_is_ready_only_while_it_can_store(
    kafka: str, stack: Stack, group: str, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_METRICS", "127.0.0.1:0")
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(SECONDS, count=3)
    expected = fleet.expected()
    worker = start_worker()
    await worker.ready()
    found = re.search(r"http://127\.0\.0\.1:\d+", worker.log.read_text())
    assert found is not None, worker.tail()
    url = found[0]

    async def answers(status: int) -> bool:
        return (await get(url, "/ready"))[0] == status

    await until(lambda: answers(200))
    await fleet.publish(kafka)
    await wait_for(kafka, expected)
    async with redis_refuses(stack.redis_admin_url):
        await until(lambda: answers(503))
        assert "redis: Redis at" in (await get(url, "/ready"))[1]
        assert (await get(url, "/live"))[0] == 200
    await until(lambda: answers(200))

    _, text = await get(url, "/metrics")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    total = sum(chunk.n_samples for chunks in fleet.chunks.values() for chunk in chunks) / RATE
    assert samples["tocsin_sound_received_seconds_total",] == total
    scored, pending = samples["tocsin_sound_scored_seconds_total",], samples["tocsin_sound_pending_seconds",]
    assert scored + pending == pytest.approx(total)
    assert pending < 3 * 4
    windows = sum(value for name, value in samples.items() if name[0] == "tocsin_windows_scored_total")
    assert windows == len(expected)
    assert samples["tocsin_commits_total",] > 0
    assert samples["tocsin_devices",] == 3
    assert samples["tocsin_lag_records",] == 0
    assert samples["process_resident_memory_bytes",] > 0
