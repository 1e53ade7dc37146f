"""The batch loop: what is queued in one assignment of partitions is never handled in another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from processors.app import batch_loop
from processors.app.batch_loop import BatchLoop
from processors.app.byte_budget import ByteBudget, bytes_of
from processors.app.options import WorkerOptions
from processors.stream.delivery import Delivery

OPTIONS = WorkerOptions("", "", batch_chunks=4, batch_wait_s=0.01)


class RecordingPipeline:
    """Notes the offsets of each batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.recovered: list[set[int]] = []
        self.forgotten = 0
        self.current: Callable[[], bool] = lambda: False
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def handle(self, batch: Sequence[Delivery], is_current: Callable[[], bool]) -> None:
        self.batches.append([delivery.offset for delivery in batch])
        self.current = is_current
        await self.may_end.wait()

    async def settle(self, is_current: Callable[[], bool]) -> None: ...

    async def recover(self, partitions: set[int]) -> None:
        self.recovered.append(partitions)

    def forget(self) -> None:
        self.forgotten += 1


def event(offset: int, generation: int = 1) -> SimpleNamespace:
    message = SimpleNamespace(
        key=b"a", value=b"", headers=(), partition=0, offset=offset, timestamp=0.0, generation_id=generation
    )
    return SimpleNamespace(message=message, value=b"", ack=lambda: None)


class Stream:
    def __init__(self, events: Sequence[Any]) -> None:
        self._events = events

    def noack(self) -> Stream:
        return self

    async def events(self) -> AsyncIterator[Any]:
        for one in self._events:
            yield one


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5.0):
        while not condition():
            await asyncio.sleep(0.001)


async def test_events_are_handled_in_batches_of_the_present_assignment() -> None:
    pipeline = RecordingPipeline()
    loop = BatchLoop(pipeline, lambda: 1, OPTIONS, ByteBudget(OPTIONS.record_bytes))
    await loop.enqueue(Stream([event(0)]))
    loop.on_assigned()
    await loop.enqueue(Stream([event(number) for number in range(1, 7)] + [event(7, generation=0)]))
    running = asyncio.create_task(loop.run())
    await until(lambda: loop.handled == 2)
    running.cancel()

    assert pipeline.batches == [[1, 2, 3, 4], [5, 6]]
    assert pipeline.current()
    loop.on_revoked()
    assert (pipeline.current(), loop.is_assigned, pipeline.forgotten) == (False, False, 2)


async def test_draining_waits_for_the_running_batch_and_no_other_begins() -> None:
    pipeline = RecordingPipeline()
    loop = BatchLoop(pipeline, lambda: 1, OPTIONS, ByteBudget(OPTIONS.record_bytes))
    loop.on_assigned()
    pipeline.may_end.clear()
    await loop.enqueue(Stream([event(0)]))
    running = asyncio.create_task(loop.run())
    await until(lambda: bool(pipeline.batches))
    loop.stop()
    draining = asyncio.create_task(loop.drain())
    await asyncio.sleep(0.01)
    assert not draining.done()

    pipeline.may_end.set()
    await asyncio.gather(draining, running)

    assert (pipeline.batches, loop.handled, loop.is_stopping) == ([[0]], 1, True)


async def test_a_batch_is_bounded_by_bytes_and_its_bytes_are_released_once_it_is_handled() -> None:
    pipeline, budget = RecordingPipeline(), ByteBudget(16 * 3_000)
    loop = BatchLoop(pipeline, lambda: 1, OPTIONS, budget)
    loop.on_assigned()
    events = [event(number) for number in range(4)]
    budget.take(4 * bytes_of(events[0].message))
    await loop.enqueue(Stream(events))
    running = asyncio.create_task(loop.run())
    await until(lambda: loop.handled == 2)
    running.cancel()

    assert pipeline.batches == [[0, 1, 2], [3]]
    await until(lambda: budget.used == 0)


async def test_states_of_new_partitions_are_made_whole_although_no_event_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_loop, "_SETTLE_S", 0.01)
    pipeline = RecordingPipeline()
    loop = BatchLoop(pipeline, lambda: 1, OPTIONS, ByteBudget(1_000_000))
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(0.03)
    assert pipeline.recovered == []

    loop.on_assigned([2, 5])
    await until(lambda: bool(pipeline.recovered))
    await asyncio.sleep(0.03)
    running.cancel()

    assert pipeline.recovered == [{2, 5}]


async def test_a_batch_that_reports_progress_may_take_longer_than_a_stall() -> None:
    pipeline = RecordingPipeline()
    pipeline.may_end.clear()
    options = WorkerOptions("", "", batch_wait_s=0.0, stall_s=0.2)
    loop = BatchLoop(pipeline, lambda: 1, options, ByteBudget(1_000_000))
    loop.on_assigned()
    await loop.enqueue(Stream([event(0)]))
    running = asyncio.create_task(loop.run())
    for _ in range(6):
        await asyncio.sleep(0.1)
        loop.report_progress()
    assert not running.done()

    with pytest.raises(TimeoutError):
        await running
