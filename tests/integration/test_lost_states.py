"""Redis lost, full or away while workers come and go: every alert is opened once and closed once. Real Kafka and
Redis."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis.asyncio

from schemas.alert import Alert
from schemas.record import Record
from schemas.topics import ALERTS, SCORES
from tests.integration.oracle import read_all
from tests.integration.test_faults import Run, Start
from tests.integration.test_faults import run as run
from tests.integration.worker_process import WorkerProcess
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[redis.asyncio.Redis]:
    found = redis.asyncio.Redis.from_url(stack.redis_admin_url)
    yield found
    await found.aclose()


async def judge(kafka: str, devices: set[str]) -> None:
    """From the topics alone: repeats are equal, an alert is opened once and closed once, at most one is open."""
    contents: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for topic in (SCORES, ALERTS):
        for message in await read_all(kafka, topic.name, devices):
            contents[topic.name, dict(message.headers)["ce_id"].decode()].add(message.value)
    assert {key: values for key, values in contents.items() if len(values) > 1} == {}, "repeats that differ"
    history: dict[str, list[Alert]] = defaultdict(list)
    seen = set()
    for message in await read_all(kafka, ALERTS.name, devices):
        alert = Alert.from_record(Record(message.key, message.value, tuple(message.headers)))
        if alert.event_id() not in seen:
            seen.add(alert.event_id())
            history[alert.dedup_key].append(alert)
    for key, alerts in history.items():
        is_open = ""
        for alert in alerts:
            assert (alert.state == "opened") == (not is_open), f"{key}: {[(a.alert_id, a.state) for a in alerts]}"
            assert is_open in ("", alert.alert_id), f"two alerts are open under {key}"
            is_open = "" if alert.state == "closed" else alert.alert_id


class Scene:
    """A run with two workers and what is done to it."""

    def __init__(self, run: Run, start: Start, stack: Stack, client: redis.asyncio.Redis) -> None:
        self.run, self.start, self.stack, self.client = run, start, stack, client
        self.workers: list[WorkerProcess] = []

    async def begin(self) -> asyncio.Task[None]:
        publishing, first = await self.run.begin_scored(self.start)
        self.workers = [first, self.start()]
        return publishing

    def replace_worker(self) -> None:
        self.workers.pop(0).kill()
        self.workers.append(self.start())


async def flushed_and_killed(scene: Scene) -> None:
    await scene.client.flushall()
    scene.replace_worker()


async def full_and_killed(scene: Scene) -> None:
    await scene.client.config_set("maxmemory", 1)
    await asyncio.sleep(4.0)
    scene.replace_worker()
    await asyncio.sleep(18.0)
    await scene.client.config_set("maxmemory", 0)


async def away_in_a_rebalance(scene: Scene) -> None:
    scene.stack.redis.kill()
    await asyncio.sleep(2.0)
    scene.replace_worker()
    await asyncio.sleep(16.0)
    await asyncio.to_thread(scene.stack.redis.start)


async def flushed_then_killed(scene: Scene) -> None:
    await scene.client.flushall()
    await asyncio.sleep(5.0)
    scene.replace_worker()


async def restarted_empty_and_killed(scene: Scene) -> None:
    await scene.client.flushall()
    scene.stack.redis.kill()
    scene.replace_worker()
    await asyncio.sleep(3.0)
    await asyncio.to_thread(scene.stack.redis.start)


@pytest.mark.parametrize(
    "fault",
    [flushed_and_killed, full_and_killed, away_in_a_rebalance, flushed_then_killed, restarted_empty_and_killed],
    ids=lambda fault: fault.__name__,
)
async def test_alerts_are_opened_once_and_closed_once(
    run: Run,
    start_worker: Start,
    stack: Stack,
    client: redis.asyncio.Redis,
    fault: Callable[[Scene], Awaitable[None]],
) -> None:
    scene = Scene(run, start_worker, stack, client)
    publishing = await scene.begin()
    await run.some(0.45)
    await fault(scene)

    await run.finish(publishing)
    await judge(run.kafka, set(run.fleet.devices))
