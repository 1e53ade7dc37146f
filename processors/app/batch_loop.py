"""The batch loop: events are queued as Faust delivers them and handled in batches, while their partitions are ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from processors.app.byte_budget import ByteBudget, bytes_of
from processors.app.options import WorkerOptions
from processors.stream.delivery import Delivery
from processors.stream.pipeline import Pipeline
from schemas.record import Record

_SETTLE_S = 1.0
# Features occupy a multiple of their sound while a batch is computed.
_BATCH_SHARE = 16


class _Queued(NamedTuple):
    """An event, the assignment of partitions it was delivered in, its bytes, and when it was taken (monotonic)."""

    assignment: int
    event: Any
    size: int
    taken_s: float


class BatchLoop:
    """Hands batches of events to the pipeline, one at a time.

    An event counts only in the assignment of partitions in which it was delivered: after a rebalance its partition may
    belong to another worker, and is read again from its frontier.

    Args:
        pipeline: handles the batches.
        generation: Kafka's present generation id of the consumer.
        options: batch size and waiting times.
        budget: of the bytes that are fetched and not handled yet.
    """

    def __init__(
        self, pipeline: Pipeline, generation: Callable[[], int], options: WorkerOptions, budget: ByteBudget
    ) -> None:
        self._pipeline = pipeline
        self._generation = generation
        self._options = options
        self._budget = budget
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue(4 * options.batch_chunks)
        self._batch_lock = asyncio.Lock()
        self._assignment = 0
        self._assigned = False
        self._stopping = False
        self._handled = 0
        self._batch_since: float | None = None
        self._settled_at = 0.0
        self._to_recover: set[int] = set()
        self._stall: asyncio.Timeout | None = None

    @property
    def handled(self) -> int:
        """Batches handled so far, and other progress."""
        return self._handled

    @property
    def is_assigned(self) -> bool:
        """Whether partitions are assigned to this worker now."""
        return self._assigned

    @property
    def is_stopping(self) -> bool:
        """Whether no further batch begins."""
        return self._stopping

    def batch_age_s(self) -> float:
        """Seconds since the running batch began; 0 while none runs."""
        return 0.0 if self._batch_since is None else asyncio.get_running_loop().time() - self._batch_since

    def report_progress(self) -> None:
        """What runs advances, although it may take long: it is not stalled."""
        self._handled += 1
        if self._stall is not None:
            self._stall.reschedule(asyncio.get_running_loop().time() + self._options.stall_s)

    async def enqueue(self, stream: Any) -> None:
        """Queues the events of Faust's stream for as long as it lasts; waits while the queue is full."""
        async for event in stream.noack().events():
            await self._queue.put(_Queued(self._assignment, event, bytes_of(event.message), time.monotonic()))

    async def run(self) -> None:
        """Handles batches until :meth:`stop`.

        Raises:
            TimeoutError: a batch takes longer than ``stall_s``.
        """
        while not self._stopping:
            batch = await self._next_batch()
            async with self._batch_lock:
                if not self._stopping:
                    await self._within_stall(self._recover())
                if batch and not self._stopping:
                    self._batch_since = asyncio.get_running_loop().time()
                    await self._within_stall(self._handle(batch))
                    self._batch_since = None
                    self._handled += 1
                self._budget.release(sum(one.size for one in batch if one.assignment == self._assignment))
                if not self._stopping:
                    await self._within_stall(self._settle())

    def stop(self) -> None:
        """No further batch begins."""
        self._stopping = True

    async def drain(self) -> None:
        """Returns once the running batch has ended; none begins afterwards."""
        await self._batch_lock.acquire()

    def on_revoked(self) -> None:
        """The partitions may belong to another worker from now on."""
        self._assigned = False
        self._forget()

    def on_assigned(self, partitions: Iterable[int] = ()) -> None:
        """Partitions are assigned, and read from their frontiers; their states are made whole at once."""
        self._forget()
        self._assigned = True
        self._to_recover = set(partitions)

    def _forget(self) -> None:
        self._assignment += 1
        self._pipeline.forget()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._budget.reset()

    async def _next_batch(self) -> list[_Queued]:
        """The next events; none after a second without any."""
        try:
            batch = [await asyncio.wait_for(self._queue.get(), _SETTLE_S)]
        except TimeoutError:
            return []
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.batch_wait_s
        size = batch[0].size
        while len(batch) < self._options.batch_chunks and size < self._budget.limit // _BATCH_SHARE:
            try:
                batch.append(self._queue.get_nowait())
                size += batch[-1].size
            except asyncio.QueueEmpty:
                if (left := deadline - loop.time()) <= 0:
                    break
                await asyncio.sleep(left)
        return batch

    async def _handle(self, batch: Sequence[_Queued]) -> None:
        assignment = self._assignment
        events = [one for one in batch if one.assignment == assignment and self._is_current(one.event)]
        if self._assigned and events:
            await self._pipeline.handle(
                [_delivery(one.event, one.taken_s) for one in events],
                lambda: self._assigned and self._assignment == assignment,
            )

    async def _within_stall(self, work: Awaitable[None]) -> None:
        async with asyncio.timeout(self._options.stall_s) as self._stall:
            await work
        self._stall = None

    async def _recover(self) -> None:
        if self._assigned and self._to_recover:
            partitions, self._to_recover = self._to_recover, set()
            await self._pipeline.recover(partitions)

    async def _settle(self) -> None:
        now, assignment = asyncio.get_running_loop().time(), self._assignment
        if self._assigned and now - self._settled_at >= _SETTLE_S:
            self._settled_at = now
            await self._pipeline.settle(lambda: self._assigned and self._assignment == assignment)

    def _is_current(self, event: Any) -> bool:
        return bool(event.message.generation_id == self._generation())


def _delivery(event: Any, taken_s: float) -> Delivery:
    message = event.message
    record = Record(message.key, message.value, tuple(message.headers or ()))
    # The event waits for the frontier; its sound need not.
    event.value = message.value = None
    return Delivery(
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=int(message.timestamp * 1000),
        record=record,
        acknowledge=event.ack,
        taken_s=taken_s,
    )
