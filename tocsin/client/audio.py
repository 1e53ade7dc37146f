"""Sound read back from the audio topic, by the stream's own rules on duplicates, gaps and sessions."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from processors.core.offsets.partition import Partition
from processors.core.windowing.device_stream import Arrival, DeviceStream
from schemas.chunk import Chunk, decode_chunk
from schemas.device import Device
from schemas.errors import BrokerUnavailable, ContractError
from schemas.topics import AUDIO
from tocsin.client.topic_reader import consumer_of, record_of

_POLL_MS = 500
_SILENT_S = 60.0


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Part of a partition of the audio topic.

    Attributes:
        partition: its number.
        first_offset, end_offset: from where to before where.
    """

    partition: int
    first_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True)
class ReplayedChunk:
    """A chunk that its device's stream took, as a worker would have taken it.

    Attributes:
        chunk: the chunk.
        begins: whether a new segment begins with it: the first heard, a gap, or a new session.
        partition, offset: where it stands.
        timestamp_ms: the broker's time, milliseconds since 1970.
    """

    chunk: Chunk
    begins: bool
    partition: int
    offset: int
    timestamp_ms: int


class Playback:
    """Reads the audio topic from wherever one likes, one stretch at a time.

    Args:
        bootstrap: Kafka's address, for messages.
        consumer: of all the topic's partitions, as :func:`playback` gives it.
    """

    def __init__(self, bootstrap: str, consumer: AIOKafkaConsumer) -> None:
        self._bootstrap = bootstrap
        self._consumer = consumer
        self._partitions = {tp.partition: tp for tp in consumer.assignment()}
        consumer.pause(*self._partitions.values())

    @property
    def partitions(self) -> list[int]:
        """Numbers of the topic's partitions, in order."""
        return sorted(self._partitions)

    async def stretches(self, since_ms: int, until_ms: int | None = None) -> list[OffsetRange]:
        """What every partition holds of a time, by the broker's clock: since, and before until or the present end.

        Raises:
            BrokerUnavailable: Kafka does not answer.
        """
        partitions = [self._partitions[number] for number in sorted(self._partitions)]
        try:
            ends = await self._consumer.end_offsets(partitions)
            first = await self._offsets_at(partitions, since_ms, ends)
            end = ends if until_ms is None else await self._offsets_at(partitions, until_ms, ends)
        except KafkaError as error:
            raise self._away(type(error).__name__) from None
        return [OffsetRange(tp.partition, first[tp], end[tp]) for tp in partitions if first[tp] < end[tp]]

    async def records(self, stretch: OffsetRange) -> AsyncIterator[Any]:
        """The stretch's messages in order; those that retention has dropped are passed over.

        Raises:
            BrokerUnavailable: Kafka gives nothing for a minute.
        """
        tp = self._partitions[stretch.partition]
        self._consumer.seek(tp, stretch.first_offset)
        self._consumer.resume(tp)
        heard = time.monotonic()
        try:
            while (position := await self._consumer.position(tp)) < stretch.end_offset:
                batch = (await self._consumer.getmany(tp, timeout_ms=_POLL_MS)).get(tp, [])
                if batch or await self._consumer.position(tp) > position:
                    heard = time.monotonic()
                elif time.monotonic() - heard > _SILENT_S:
                    raise self._away(f"nothing came for {_SILENT_S:g} s")
                for message in batch:
                    if message.offset < stretch.end_offset:
                        yield message
        except KafkaError as error:
            raise self._away(type(error).__name__) from None
        finally:
            self._consumer.pause(tp)

    async def play(
        self, stretch: OffsetRange, wanted: Callable[[str], bool], fleet: Mapping[str, Device]
    ) -> AsyncIterator[ReplayedChunk]:
        """The chunks of a stretch that their devices' streams take; what breaks the contract is passed over.

        Args:
            stretch: where.
            wanted: whether a device is.
            fleet: manifests by device, as far as known.
        """
        admission = ChunkSequencer(fleet)
        async for message in self.records(stretch):
            if wanted((message.key or b"").decode(errors="replace")):
                played = admission.admit(message)
                if played is not None:
                    yield played

    async def _offsets_at(
        self, partitions: list[TopicPartition], at_ms: int, ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, at_ms))
        return {tp: ends[tp] if found.get(tp) is None else min(found[tp].offset, ends[tp]) for tp in partitions}

    def _away(self, why: str) -> BrokerUnavailable:
        return BrokerUnavailable(f"Kafka at {self._bootstrap} went away while sound was read ({why}): run it again")


class ChunkSequencer:
    """One partition's devices, as a worker that begins here would take their chunks.

    Args:
        fleet: manifests by device, as far as known.
    """

    def __init__(self, fleet: Mapping[str, Device]) -> None:
        self._fleet = fleet
        self._partition: Partition[None] = Partition()

    def admit(self, message: Any) -> ReplayedChunk | None:
        """The message's chunk; None where it is a duplicate or breaks the contract."""
        try:
            chunk = decode_chunk(record_of(message))
            stream = self._partition.stream(chunk.device_id, message.timestamp)
            if stream is None:
                device = self._fleet.get(chunk.device_id)
                announced = (None, 0) if device is None else (device.sample_rate, device.announced_ns)
                stream = DeviceStream(chunk.device_id, {}, *announced)
            arrival = stream.admit(chunk)
        except ContractError:
            return None
        self._partition.track(stream, message.timestamp)
        if arrival is Arrival.DUPLICATE:
            return None
        return ReplayedChunk(chunk, arrival is not Arrival.NEXT, message.partition, message.offset, message.timestamp)


@asynccontextmanager
async def playback(bootstrap: str) -> AsyncIterator[Playback]:
    """The audio topic, for reading back.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    async with consumer_of(bootstrap, [AUDIO]) as consumer:
        yield Playback(bootstrap, consumer)
