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

from producers.kafka.client import connect, discard, new_client, refusal
from producers.kafka.connection import Connection
from producers.kafka.outage import AiokafkaLogFilter, Outage
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.record import Record
from schemas.topics import AUDIO, DEVICES

MAX_WAITING_BYTES = 32 * 1024 * 1024
"""What may wait for Kafka: 17 minutes of one 16 kHz microphone."""

_PATIENCE_S = 3.0
_INTERRUPTED_S = 1.0
_RENEW_S = 0.5
_RECORD_OVERHEAD = 2048
"""Bytes counted for a record's key, headers and objects."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Letter:
    """A record on its way. ``number`` counts up in the order of sending."""

    number: int
    topic: str
    record: Record

    @property
    def size(self) -> int:
        return len(self.record.value or b"") + _RECORD_OVERHEAD


class Publisher:
    """Announces devices and sends their chunks.

    Records are kept until the broker has them. While it is away they wait, up to ``max_waiting_bytes``; then ``send``
    waits too, so that a file stands still and a microphone counts what it loses. A client that has failed is replaced
    and what it had not delivered is sent again in order: readers drop repeats by their sequence.

    As a context manager it waits for every delivery at the end, however long that takes; when left by an error or by
    Ctrl-C it gives delivery one more second and says how many chunks were not delivered.

    Args:
        connection: how Kafka is reached.
        max_waiting_bytes: bound on undelivered records, > 0.
        patience_s: seconds without a delivery after which Kafka counts as away.
        make_client: makes the aiokafka producer.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        patience_s: float = _PATIENCE_S,
        make_client: Callable[[Connection], Any] = new_client,
    ) -> None:
        self._connection = connection
        self._max_bytes = max_waiting_bytes
        self._patience_s = patience_s
        self._make_client = make_client
        self._undelivered: dict[int, _Letter] = {}
        self._unsent: deque[_Letter] = deque()
        self._bytes = 0
        self._numbers = 0
        self._delivered_at = time.monotonic()
        self._connected = False
        self._failure: BaseException | None = None
        self._moved = asyncio.Event()
        self._posted = asyncio.Event()
        self._announcing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._outage = Outage(connection.bootstrap)
        self._last_word = AiokafkaLogFilter()

    @property
    def undelivered_chunks(self) -> int:
        """Chunks taken that the broker has not acknowledged."""
        return sum(letter.topic == AUDIO.name for letter in self._undelivered.values())

    @property
    def waiting_bytes(self) -> int:
        """Bytes of undelivered records, at most ``max_waiting_bytes`` (or one record, if that is larger)."""
        return self._bytes

    async def start(self) -> None:
        """Connects; waits for a broker that is away.

        Raises:
            SettingsError: a topic is missing on the broker, or it refuses us.
        """
        self._last_word.listen()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._watch())]
        while not self._connected:
            await self._change()

    async def announce(self, device: Device) -> None:
        """Puts a device's manifest on the devices topic and waits until the broker has it.

        Raises:
            SettingsError: the broker refuses it.
        """
        # One at a time: a batch of many would be larger than the topic allows.
        async with self._announcing:
            number = await self._post(DEVICES.name, device.to_record())
            while number in self._undelivered:
                await self._change()

    async def send(self, chunk: Chunk) -> None:
        """Takes a chunk, after waiting for room.

        Raises:
            ContractError: the chunk breaks the contract.
            SettingsError: the broker refuses chunks.
        """
        await self._post(AUDIO.name, encode_chunk(chunk))

    async def drain(self) -> None:
        """Waits until everything is delivered, however long Kafka is away.

        Raises:
            SettingsError: the broker refuses chunks.
        """
        while self._undelivered:
            await self._change()

    async def close(self, timeout_s: float = 30.0) -> int:
        """Waits at most ``timeout_s`` for deliveries, then ends within about a second.

        Returns:
            How many chunks were not delivered; if any, it is logged too.
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
            self._last_word.leave()
        lost = self.undelivered_chunks
        if lost:
            log.error(f"{lost} chunks were not delivered to Kafka at {self._connection.bootstrap}")
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
            await self.close(_INTERRUPTED_S)

    async def _change(self) -> None:
        """Waits until something is delivered, connected or failed; raises the failure."""
        if self._failure is None:
            self._moved.clear()
            await self._moved.wait()
        if self._failure is not None:
            raise self._failure

    async def _post(self, topic: str, record: Record) -> int:
        letter = _Letter(self._numbers, topic, record)
        self._numbers += 1
        while self._failure is not None or (self._undelivered and self._bytes + letter.size > self._max_bytes):
            await self._change()
        if not self._undelivered:
            self._delivered_at = time.monotonic()
        self._undelivered[letter.number] = letter
        self._unsent.append(letter)
        self._bytes += letter.size
        self._posted.set()
        return letter.number

    async def _run(self) -> None:
        """Keeps a client at work; begins anew with a fresh one when it has failed."""
        try:
            while self._failure is None:
                client = await connect(
                    partial(self._make_client, self._connection),
                    away=lambda reason: self._outage.away(self._last_word.text or reason, self.undelivered_chunks),
                )
                try:
                    self._connected = True
                    self._outage.back()
                    self._moved.set()
                    await self._hand_over(client)
                finally:
                    await discard(client)
                await asyncio.sleep(_RENEW_S)
        except Exception as error:
            self._failure = error
            self._moved.set()

    async def _hand_over(self, client: Any) -> None:
        """Gives the client every letter in order; returns when the client has failed."""
        broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsent = deque(self._undelivered[number] for number in sorted(self._undelivered))
        while not broken.done():
            if not self._unsent:
                self._posted.clear()
                await self._posted.wait()
                continue
            letter = self._unsent[0]
            record = letter.record
            try:
                sent = await client.send(letter.topic, record.value, key=record.key, headers=list(record.headers))
            except kafka.KafkaTimeoutError:
                continue  # its buffer stayed full while the broker was away; the letter is still ours
            except kafka.KafkaError as error:
                self._broke(broken, letter, error)
                continue
            self._unsent.popleft()
            sent.add_done_callback(partial(self._settle, letter, broken))

    def _settle(self, letter: _Letter, broken: asyncio.Future[None], sent: asyncio.Future[Any]) -> None:
        if sent.cancelled():
            return
        error = sent.exception()
        if error is not None:
            self._broke(broken, letter, error)
            return
        if self._undelivered.pop(letter.number, None) is not None:
            self._bytes -= letter.size
            self._delivered_at = time.monotonic()
            self._outage.back()
            self._moved.set()

    def _broke(self, broken: asyncio.Future[None], letter: _Letter, error: BaseException) -> None:
        """The client is of no more use; a failure that would only repeat itself ends the publisher."""
        self._failure = self._failure or refusal(error, letter.topic, self._connection.bootstrap)
        if not broken.done():
            broken.set_result(None)
        self._posted.set()
        self._moved.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._patience_s / 4)
            waits = self._undelivered or not self._connected
            if waits and time.monotonic() - self._delivered_at > self._patience_s:
                self._outage.away(self._last_word.text, self.undelivered_chunks)
