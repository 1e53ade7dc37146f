"""Faults of workers, broker and Redis: every window scored, every alert once, no commit too far."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from processors.adapters.redis.redis_states import RedisStates
from processors.core.alerting.detector_state import Output
from tests.integration.failing_worker import MARK, WHERE
from tests.integration.fleet import Fleet
from tests.integration.oracle import (
    StreamOutput,
    assert_no_commit_passed_an_unscored_window,
    assert_same,
    assert_same_state,
    read_output,
    start_group_at_end,
    wait_for,
)
from tests.integration.worker_process import WorkerProcess
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]

# 35 s that hold the demo's fault and its screams, after enough normal sound to learn from.
FIRST_S, SECONDS = 20.0, 35.0


class Run:
    """A fleet on its way through workers."""

    def __init__(self, kafka: str, redis_url: str, group: str) -> None:
        self.kafka, self.redis_url, self.group = kafka, redis_url, group
        self.fleet = Fleet.of_factory(SECONDS, FIRST_S)
        self.expected: list[Output] = self.fleet.expected()

    async def begin(self, speed: float = 3.0) -> asyncio.Task[None]:
        await start_group_at_end(self.kafka, self.group)
        return asyncio.create_task(self.fleet.publish(self.kafka, speed))

    async def begin_scored(self, start_worker: Start) -> tuple[asyncio.Task[None], WorkerProcess]:
        """In real time, to a worker that listens from the first second: what happens then falls into its work."""
        await start_group_at_end(self.kafka, self.group)
        worker = start_worker()
        await worker.ready()
        return asyncio.create_task(self.fleet.publish(self.kafka, 1.0)), worker

    async def some(self, share: float, timeout: float = 60.0) -> None:
        """Returns once a share of the expected windows is out."""
        async with asyncio.timeout(timeout):
            while len((await read_output(self.kafka, set(self.fleet.devices))).scores) < share * len(self.expected):
                await asyncio.sleep(0.3)

    async def finish(self, publishing: asyncio.Task[None]) -> StreamOutput:
        await publishing
        result = await wait_for(self.kafka, self.expected)
        # Late duplicates of a zombie or a last commit may still come.
        await asyncio.sleep(2.0)
        result = await read_output(self.kafka, set(self.fleet.devices))
        assert_same(result, self.expected)
        checked = await assert_no_commit_passed_an_unscored_window(
            self.kafka, self.group, self.expected, set(self.fleet.devices)
        )
        assert checked > 8, "the group has committed next to nothing"
        await self.assert_each_window_counted_once()
        return result

    async def assert_each_window_counted_once(self) -> None:
        """What Redis remembers is what an undisturbed run remembers."""
        store = RedisStates(self.redis_url, timeout_s=5.0)
        found = await store.load(list(self.fleet.states))
        await store.close()
        assert found.keys() == self.fleet.states.keys()
        for key, wanted in self.fleet.states.items():
            state = found[key]
            assert_same_state(state, wanted)


@pytest.fixture
def run(kafka: str, redis_url: str, group: str) -> Run:
    run = Run(kafka, redis_url, group)
    opened = [output for output in run.expected if output.alert is not None and output.alert.state == "opened"]
    assert len(opened) >= 2, "the sound of this test must open alerts"
    return run


async def test_undisturbed(run: Run, start_worker: Start) -> None:
    worker = start_worker()
    result = await run.finish(await run.begin())

    assert worker.alive
    assert {len(scores) for scores in result.scores.values()} == {1}, "nothing is sent twice without a fault"
    assert not list(Path.cwd().glob(f"{run.group}*")), "a worker leaves no folder where it was started"


async def test_worker_killed(run: Run, start_worker: Start) -> None:
    publishing = await run.begin()
    worker = start_worker()
    await run.some(0.25)
    worker.kill()
    start_worker()

    await run.finish(publishing)


async def test_worker_terminated(run: Run, start_worker: Start) -> None:
    publishing = await run.begin()
    worker = start_worker()
    await run.some(0.25)
    code = worker.terminate()
    start_worker()

    result = await run.finish(publishing)
    assert code == 0
    assert {len(scores) for scores in result.scores.values()} == {1}, "a drained worker leaves nothing to repeat"


async def test_second_worker_joins_and_leaves(run: Run, start_worker: Start) -> None:
    publishing = await run.begin(speed=1.5)
    start_worker()
    await run.some(0.15)
    second = start_worker()
    await run.some(0.6)
    second.terminate()

    await run.finish(publishing)


async def test_worker_stopped_for_20_s_and_woken(run: Run, start_worker: Start) -> None:
    publishing = await run.begin(speed=1.0)
    zombie = start_worker()
    start_worker()
    await run.some(0.2)
    zombie.signal(signal.SIGSTOP)
    await asyncio.sleep(20.0)
    zombie.signal(signal.SIGCONT)

    await run.finish(publishing)
    assert zombie.alive


@pytest.mark.parametrize("where", ["scorer", "sending", "alerts"])
async def test_exception_inside_the_worker(
    run: Run, start_worker: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    mark = tmp_path / "failed"
    monkeypatch.setenv(WHERE, where)
    monkeypatch.setenv(MARK, str(mark))
    # What waits for a worker comes in fewer batches than the one that fails.
    publishing, failing = await run.begin_scored(lambda: start_worker("tests.integration.failing_worker"))
    code = await asyncio.to_thread(failing.wait)
    assert mark.exists()
    assert code != 0
    start_worker("tests.integration.failing_worker")

    await run.finish(publishing)


async def test_broker_killed_and_back_after_5_s(run: Run, start_worker: Start, stack: Stack) -> None:
    publishing, worker = await run.begin_scored(start_worker)
    await run.some(0.2)
    stack.kafka.kill()
    await asyncio.sleep(5.0)
    await asyncio.to_thread(stack.kafka.start)

    await run.finish(publishing)
    assert worker.alive


async def test_redis_restarted(run: Run, start_worker: Start, stack: Stack) -> None:
    publishing, worker = await run.begin_scored(start_worker)
    await run.some(0.3)
    stack.redis.kill()
    await asyncio.sleep(4.0)
    await asyncio.to_thread(stack.redis.start)

    result = await run.finish(publishing)
    assert worker.alive
    assert any(score.degraded for scores in result.scores.values() for score in scores), "the outage was not noticed"


async def test_redis_stalled_for_5_s(run: Run, start_worker: Start, stack: Stack) -> None:
    """A write may be done although its answer came too late."""
    publishing, worker = await run.begin_scored(start_worker)
    await run.some(0.3)
    redis = psutil.Process(stack.redis.pid)
    redis.suspend()
    await asyncio.sleep(5.0)
    redis.resume()

    result = await run.finish(publishing)
    assert worker.alive
    assert any(score.degraded for scores in result.scores.values() for score in scores), "the stall was not noticed"
