"""The devices topic, followed by every worker for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from processors.adapters.kafka_records import read_any_header_name
from schemas.device import Device
from schemas.errors import ContractError
from schemas.record import Record
from schemas.topics import DEVICES

_log = structlog.get_logger(__name__)
_SETTLE_S = 5.0


class DeviceRegistry:
    """Manifests by device, newest first to last.

    Args:
        bootstrap: Kafka's address.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._devices: dict[str, Device] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Condition()

    async def start(self) -> None:
        """Reads the topic to its end, then follows it."""
        read_any_header_name()
        consumer = AIOKafkaConsumer(
            DEVICES.name,
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        self._consumer = consumer
        self._task = asyncio.create_task(self._follow(consumer), name="devices")
        await self.settle()

    def get(self, device_id: str) -> Device | None:
        """A device's manifest, as far as the topic has been read."""
        return self._devices.get(device_id)

    async def settle(self) -> None:
        """Returns once all that stands on the topic now has been read, or the broker stays silent for 5 s.

        A producer announces its device before its first chunk, so a device unknown after this has no manifest.
        """
        consumer = self._consumer
        if consumer is None:
            return
        partition = TopicPartition(DEVICES.name, 0)
        try:
            async with asyncio.timeout(_SETTLE_S):
                end = (await consumer.end_offsets([partition]))[partition]
                async with self._moved:
                    while await consumer.position(partition) < end:
                        await self._moved.wait()
        except (KafkaError, TimeoutError) as error:
            _log.warning("devices topic not read to its end", error=str(error) or type(error).__name__)

    async def stop(self) -> None:
        """Stops following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                batches = await consumer.getmany(timeout_ms=500)
            except KafkaError as error:
                _log.warning("devices topic not readable", error=str(error))
                await asyncio.sleep(1.0)
                continue
            for message in (message for batch in batches.values() for message in batch):
                self._apply(message)
            async with self._moved:
                self._moved.notify_all()

    def _apply(self, message: Any) -> None:
        if message.value is None:
            self._devices.pop((message.key or b"").decode(errors="replace"), None)
            return
        try:
            device = Device.from_record(Record(message.key, message.value, tuple(message.headers)))
        except ContractError as error:
            _log.warning("device manifest ignored", offset=message.offset, error=str(error))
            return
        self._devices[device.device_id] = device
