"""Publishes devices and chunks to Kafka: in order, acknowledged by all replicas, in bounded memory."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import structlog
from aiokafka import errors as kafka

from connections.kafka import KafkaConnection
from connections.rights import denied
from producers.kafka.client import connect, discard, new_client, permanent_error
from producers.kafka.outage import AiokafkaLogFilter, Outage
from schemas.access import rights_of
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.errors import SettingsError, UserError
from schemas.record import Record
from schemas.topics import AUDIO, DEVICES

MAX_PENDING_BYTES = 32 * 1024 * 1024
"""Default bound on undelivered records: 17 minutes of one 16 kHz microphone."""

_OUTAGE_AFTER_S = 3.0
_CLOSE_TIMEOUT_S = 1.0
_RECONNECT_S = 0.5
_RECORD_OVERHEAD = 2048
"""Bytes assumed for a record's key, headers and objects."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _PendingRecord:
    """A record that is not yet acknowledged; ``number`` increases in the order of sending."""

    number: int
    topic: str
    record: Record

    @property
    def size(self) -> int:
        return len(self.record.value or b"") + _RECORD_OVERHEAD


class Publisher:
    """Announces devices and sends their chunks.

    Records stay in memory until the broker has acknowledged them, up to ``max_pending_bytes``; beyond that, ``send``
    waits: a file pauses, and a microphone counts lost samples. A failed client is replaced, and the records that it had
    not delivered are sent again in order: readers drop duplicates by sequence number.

    As a context manager it waits for all deliveries at the end, however long that takes; after an error or Ctrl-C it
    waits one more second and logs how many chunks were not delivered.

    Args:
        connection: settings for Kafka.
        max_pending_bytes: bound on undelivered records, > 0.
        outage_after_s: seconds without a delivery after which Kafka counts as unavailable.
        make_client: creates the aiokafka producer.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        outage_after_s: float = _OUTAGE_AFTER_S,
        make_client: Callable[[KafkaConnection], Any] = new_client,
    ) -> None:
        self._connection = connection
        self._max_bytes = max_pending_bytes
        self._outage_after_s = outage_after_s
        self._make_client = make_client
        self._undelivered: dict[int, _PendingRecord] = {}
        self._unsent: deque[_PendingRecord] = deque()
        self._bytes = 0
        self._next_number = 0
        self._delivered_at = time.monotonic()
        self._connected = False
        self._failure: BaseException | None = None
        self._progressed = asyncio.Event()
        self._queued = asyncio.Event()
        self._announcing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._outage = Outage(connection.address)
        self._log_filter = AiokafkaLogFilter()

    @property
    def kafka_is_away(self) -> bool:
        """Whether Kafka has not answered for long enough that it was logged."""
        return self._outage.is_on

    @property
    def max_bytes(self) -> int:
        """Most bytes of records that wait for Kafka's confirmation."""
        return self._max_bytes

    @property
    def undelivered_chunks(self) -> int:
        """Number of chunks that the broker has not acknowledged."""
        return sum(pending.topic == AUDIO.name for pending in self._undelivered.values())

    @property
    def pending_bytes(self) -> int:
        """Size of the undelivered records, at most ``max_pending_bytes`` (or one record, if that is larger)."""
        return self._bytes

    async def start(self) -> None:
        """Connects; waits for an unavailable broker.

        Raises:
            SettingsError: the broker lacks a topic, or refuses the client.
        """
        self._log_filter.install()
        self._tasks = [asyncio.create_task(self._keep_sending()), asyncio.create_task(self._watch_for_outage())]
        while not self._connected:
            await self._wait_for_progress()

    async def announce(self, device: Device) -> None:
        """Sends a device's manifest to the devices topic and waits until the broker acknowledges it.

        Raises:
            SettingsError: the broker refuses it.
        """
        # One at a time: a batch of many would exceed the topic's limit.
        async with self._announcing:
            number = await self._enqueue(DEVICES.name, device.to_record())
            while number in self._undelivered:
                await self._wait_for_progress()

    async def send(self, chunk: Chunk) -> None:
        """Enqueues a chunk, after waiting for space.

        Raises:
            ContractError: the chunk breaks the contract.
            SettingsError: the broker refuses chunks.
        """
        await self._enqueue(AUDIO.name, encode_chunk(chunk))

    async def drain(self) -> None:
        """Waits until everything is delivered, however long Kafka is unavailable.

        Raises:
            SettingsError: the broker refuses chunks.
        """
        while self._undelivered:
            await self._wait_for_progress()

    async def close(self, timeout_s: float = 30.0) -> int:
        """Waits at most ``timeout_s`` for deliveries, then stops within about a second.

        Returns:
            Number of chunks that were not delivered; logged unless it is 0.
        """
        try:
            if self._failure is None and self._connected:
                async with asyncio.timeout(timeout_s):
                    await self.drain()
        except Exception as error:
            self._failure = self._failure or error
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._log_filter.remove()
        lost = self.undelivered_chunks
        if lost:
            log.error(f"{lost} chunks were not delivered to Kafka at {self._connection}")
        return lost

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close(0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.drain()
        finally:
            await self.close(_CLOSE_TIMEOUT_S)

    async def _wait_for_progress(self) -> None:
        """Waits until a record is delivered, the client connects, or a failure occurs; raises the failure."""
        if self._failure is None:
            self._progressed.clear()
            await self._progressed.wait()
        if self._failure is not None:
            raise self._failure

    async def _enqueue(self, topic: str, record: Record) -> int:
        pending = _PendingRecord(self._next_number, topic, record)
        self._next_number += 1
        while self._failure is not None or (self._undelivered and self._bytes + pending.size > self._max_bytes):
            await self._wait_for_progress()
        if not self._undelivered:
            self._delivered_at = time.monotonic()
        self._undelivered[pending.number] = pending
        self._unsent.append(pending)
        self._bytes += pending.size
        self._queued.set()
        return pending.number

    async def _keep_sending(self) -> None:
        """Sends with a client; replaces it by a new one after a failure."""
        try:
            while self._failure is None:
                client = await connect(
                    partial(self._make_client, self._connection),
                    on_unavailable=lambda reason: self._outage.begin(
                        self._log_filter.last_message or reason, self.undelivered_chunks
                    ),
                    refusal=self._refusal,
                )
                try:
                    self._connected = True
                    self._outage.end()
                    self._progressed.set()
                    await self._send_pending(client)
                finally:
                    await discard(client)
                await asyncio.sleep(_RECONNECT_S)
        except SettingsError as error:
            # A topic that the client may not see seems to be absent.
            self._fail(await self._refusal() or error)
        except Exception as error:
            self._fail(error)

    async def _refusal(self) -> UserError | None:
        wanted = [right for right in rights_of("producer", "") if right.resource == "Topic"]
        return await denied(self._connection, wanted)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._progressed.set()

    async def _send_pending(self, client: Any) -> None:
        """Sends every pending record in order; returns when the client has failed."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsent = deque(self._undelivered[number] for number in sorted(self._undelivered))
        while not failed.done():
            if not self._unsent:
                self._queued.clear()
                await self._queued.wait()
                continue
            pending = self._unsent[0]
            record = pending.record
            try:
                sent = await client.send(pending.topic, record.value, key=record.key, headers=list(record.headers))
            except kafka.KafkaTimeoutError:
                continue  # its buffer stayed full while the broker was unavailable; the record is still queued
            except kafka.KafkaError as error:
                self._client_failed(failed, pending, error)
                continue
            self._unsent.popleft()
            sent.add_done_callback(partial(self._on_sent, pending, failed))

    def _on_sent(self, pending: _PendingRecord, failed: asyncio.Future[None], sent: asyncio.Future[Any]) -> None:
        if sent.cancelled():
            return
        error = sent.exception()
        if error is not None:
            self._client_failed(failed, pending, error)
            return
        if self._undelivered.pop(pending.number, None) is not None:
            self._bytes -= pending.size
            self._delivered_at = time.monotonic()
            self._outage.end()
            self._progressed.set()

    def _client_failed(self, failed: asyncio.Future[None], pending: _PendingRecord, error: BaseException) -> None:
        """Marks the client as failed; a permanent error ends the publisher."""
        self._failure = self._failure or permanent_error(error, pending.topic, self._connection)
        if not failed.done():
            failed.set_result(None)
        self._queued.set()
        self._progressed.set()

    async def _watch_for_outage(self) -> None:
        while True:
            await asyncio.sleep(self._outage_after_s / 4)
            waiting = self._undelivered or not self._connected
            if waiting and time.monotonic() - self._delivered_at > self._outage_after_s:
                self._outage.begin(self._log_filter.last_message, self.undelivered_chunks)
