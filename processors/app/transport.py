"""Faust's app and Kafka transport, with the changes that avoid data loss on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, ClassVar

import faust
import structlog
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Producer as FaustProducer
from faust.transport.drivers.aiokafka import Transport as FaustTransport

from processors.adapters.kafka.records import harden_consumers
from processors.app.byte_budget import ByteBudget, bytes_of
from schemas.topics import AUDIO

_log = structlog.get_logger(__name__)
_COMMIT_S = 3.0


class App(faust.App):
    """Creates no folder in the working directory: the worker stores nothing on disk.

    Attributes:
        byte_budget: bounds what is fetched and not handled yet.
    """

    byte_budget: ByteBudget

    def _create_directories(self) -> None:
        pass


def _ignore(partition: int, count: int) -> None:
    """Nobody asked."""


class Consumer(FaustConsumer):
    """Takes records within the byte budget, and commits acknowledged offsets before a rebalance drops them.

    Attributes:
        commits: offsets of a partition committed so far in this process.
        on_records_lost: called with a partition of the audio topic, and how many of its records Kafka has deleted that
            the group had not read.
    """

    commits: ClassVar[int] = 0
    on_records_lost: ClassVar[Callable[[int, int], None]] = staticmethod(_ignore)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._next_offset: dict[Any, int] = {}

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        committed: bool = await super()._commit(offsets)
        if committed:
            Consumer.commits += len(offsets)
        return committed

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109  # Faust's signature
        """Faust's, record by record as there is room for them; its own bounds count records, not bytes."""
        budget: ByteBudget = self.app.byte_budget  # type: ignore[attr-defined]  # of the App above
        async for tp, message in super().getmany(timeout):
            expected = self._next_offset.get(tp)
            self._next_offset[tp] = message.offset + 1
            if message.offset != expected and tp.topic == AUDIO.name:
                await self._note_lost(tp, expected, message.offset)
            size = bytes_of(message)
            if not budget.has_room(size):
                await self.wait_first(budget.wait_for_room(size), self.suspend_flow.wait())
                if not self.flow_active or message.generation_id != self.app.consumer_generation_id:
                    return  # as Faust does: they are read again
            budget.take(size)
            yield tp, message

    async def _note_lost(self, tp: Any, expected: int | None, offset: int) -> None:
        """Notes what retention has deleted unread: the client itself goes on at the oldest record without a word.

        A batch that could not be read whole leaves a hole too, and its own letter; its records are still there.
        """
        expected = self._committed_offset.get(tp) if expected is None else expected
        if expected is None or offset <= expected:
            return
        try:
            oldest = await asyncio.wait_for(self.earliest_offsets(tp), _COMMIT_S)
        except Exception as error:
            # Any error: it is for people, and the records go on.
            _log.warning("Kafka does not say what it has deleted", error=repr(error))
            return
        if (lost := min(oldest[tp], offset) - expected) > 0:
            _log.error("records deleted before they were read", partition=tp.partition, records=lost)
            Consumer.on_records_lost(tp.partition, lost)

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Bounded in time, because the rebalance waits for it."""
        try:
            await asyncio.wait_for(self.commit(), _COMMIT_S)
        except Exception as error:
            # Nothing is lost without this commit: the next owner reads some records again.
            _log.warning("no commit before the rebalance", error=repr(error))
        self._next_offset.clear()
        await super().on_partitions_revoked(revoked)


class Producer(FaustProducer):
    """Idempotent, acknowledged by all replicas; Faust has no setting for it."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(FaustTransport):
    """A transport with both."""

    Consumer = Consumer
    Producer = Producer


def install(app: faust.App) -> None:
    """Installs this transport in an app that has not started."""
    harden_consumers()
    app.transport = Transport(app.conf.broker_consumer, app)
    app.producer_transport = Transport(app.conf.broker_producer, app)
