"""Replays sound from the audio topic, by the stream's own rules on duplicates, gaps and sessions."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connections.kafka import KafkaConnection
from processors.core.windowing.device_stream import Arrival, DeviceStream
from schemas.chunk import Chunk, decode_chunk
from schemas.device import Device
from schemas.errors import BrokerUnavailable, ContractError
from schemas.topics import AUDIO
from tocsin.client.topic_reader import consumer_of, record_of

_POLL_MS = 500
_STALLED_S = 60.0


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """A range of offsets in a partition of the audio topic.

    Attributes:
        partition: its number.
        first_offset, end_offset: the first offset, and the one after the last.
    """

    partition: int
    first_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True)
class ReplayedChunk:
    """A chunk that its device's stream accepted, as a worker would have.

    Attributes:
        chunk: the chunk.
        starts_segment: whether a new segment begins with it: first chunk, after a gap, or a new session.
        partition, offset: of its record.
        timestamp_ms: the broker's time, milliseconds since 1970.
    """

    chunk: Chunk
    starts_segment: bool
    partition: int
    offset: int
    timestamp_ms: int


class AudioReader:
    """Reads the audio topic from any offset, one range at a time.

    Args:
        bootstrap: the connection to Kafka, for error messages.
        consumer: of all the topic's partitions, as in :func:`audio_reader`.
    """

    def __init__(self, bootstrap: KafkaConnection, consumer: AIOKafkaConsumer) -> None:
        self._bootstrap = bootstrap
        self._consumer = consumer
        self._partitions = {tp.partition: tp for tp in consumer.assignment()}
        consumer.pause(*self._partitions.values())

    @property
    def partitions(self) -> list[int]:
        """Numbers of the topic's partitions, in order."""
        return sorted(self._partitions)

    async def offset_ranges(self, since_ms: int, until_ms: int | None = None) -> list[OffsetRange]:
        """The range of every partition in a time span by the broker's clock; empty ones are left out.

        Args:
            since_ms: start, milliseconds since 1970.
            until_ms: end; None is the present end of the topic.

        Raises:
            BrokerUnavailable: Kafka does not answer.
        """
        partitions = [self._partitions[number] for number in sorted(self._partitions)]
        try:
            ends = await self._consumer.end_offsets(partitions)
            first = await self._offsets_at(partitions, since_ms, ends)
            end = ends if until_ms is None else await self._offsets_at(partitions, until_ms, ends)
        except KafkaError as error:
            raise self._unavailable(type(error).__name__) from None
        return [OffsetRange(tp.partition, first[tp], end[tp]) for tp in partitions if first[tp] < end[tp]]

    async def records(self, offsets: OffsetRange) -> AsyncIterator[Any]:
        """The messages of a range in order, without those that retention has dropped.

        Raises:
            BrokerUnavailable: Kafka delivers nothing for a minute.
        """
        tp = self._partitions[offsets.partition]
        self._consumer.seek(tp, offsets.first_offset)
        self._consumer.resume(tp)
        received_at = time.monotonic()
        try:
            while (position := await self._consumer.position(tp)) < offsets.end_offset:
                batch = (await self._consumer.getmany(tp, timeout_ms=_POLL_MS)).get(tp, [])
                if batch or await self._consumer.position(tp) > position:
                    received_at = time.monotonic()
                elif time.monotonic() - received_at > _STALLED_S:
                    raise self._unavailable(f"no record for {_STALLED_S:g} s")
                for message in batch:
                    if message.offset < offsets.end_offset:
                        yield message
        except KafkaError as error:
            raise self._unavailable(type(error).__name__) from None
        finally:
            self._consumer.pause(tp)

    async def replay(
        self, offsets: OffsetRange, wanted: Callable[[str], bool], fleet: Mapping[str, Device]
    ) -> AsyncIterator[ReplayedChunk]:
        """The chunks of a range that their devices' streams accept; records that break the contract are skipped.

        Args:
            offsets: the range.
            wanted: whether a device's chunks are wanted.
            fleet: known manifests by device.
        """
        sequencer = ChunkSequencer(fleet)
        async for message in self.records(offsets):
            if wanted((message.key or b"").decode(errors="replace")):
                chunk = sequencer.admit(message)
                if chunk is not None:
                    yield chunk

    async def _offsets_at(
        self, partitions: list[TopicPartition], at_ms: int, ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, at_ms))
        return {tp: ends[tp] if found.get(tp) is None else min(found[tp].offset, ends[tp]) for tp in partitions}

    def _unavailable(self, reason: str) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"Kafka at {self._bootstrap} became unavailable while sound was read ({reason}): run the command again"
        )


class ChunkSequencer:
    """Accepts the chunks of one partition as a worker that starts here would.

    Args:
        fleet: known manifests by device.
    """

    def __init__(self, fleet: Mapping[str, Device]) -> None:
        self._fleet = fleet
        self._streams: dict[str, DeviceStream] = {}

    def admit(self, message: Any) -> ReplayedChunk | None:
        """The message's chunk; None if it is a duplicate or breaks the contract."""
        try:
            chunk = decode_chunk(record_of(message))
            stream = self._streams.get(chunk.device_id)
            if stream is None:
                device = self._fleet.get(chunk.device_id)
                announced = (None, 0) if device is None else (device.sample_rate, device.announced_ns)
                stream = DeviceStream(chunk.device_id, {}, *announced)
            arrival = stream.admit(chunk, message.timestamp)
        except ContractError:
            return None
        self._streams[chunk.device_id] = stream
        if arrival is Arrival.DUPLICATE:
            return None
        return ReplayedChunk(chunk, arrival is not Arrival.NEXT, message.partition, message.offset, message.timestamp)


@asynccontextmanager
async def audio_reader(bootstrap: KafkaConnection) -> AsyncIterator[AudioReader]:
    """A reader of the audio topic.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    async with consumer_of(bootstrap, [AUDIO]) as consumer:
        yield AudioReader(bootstrap, consumer)
