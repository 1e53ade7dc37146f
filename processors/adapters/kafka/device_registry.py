"""The devices topic, followed by every worker for itself."""

from __future__ import annotations

from typing import Any

from processors.adapters.kafka.topic_follower import TopicFollower
from schemas.device import Device
from schemas.record import Record
from schemas.topics import DEVICES


class DeviceRegistry:
    """Manifests by device; the newest holds.

    Args:
        bootstrap: Kafka's address.
    """

    def __init__(self, bootstrap: str) -> None:
        self._devices: dict[str, Device] = {}
        self._follower = TopicFollower(bootstrap, DEVICES, self._take)

    async def start(self) -> None:
        """Reads the topic to its end, then follows it."""
        await self._follower.start()

    def get(self, device_id: str) -> Device | None:
        """A device's manifest, as far as the topic has been read."""
        return self._devices.get(device_id)

    async def settle(self) -> None:
        """Returns once all that stands on the topic now has been read, or the broker stays silent for 5 s.

        A producer announces its device before its first chunk, so a device unknown after this has no manifest.
        """
        await self._follower.settle()

    async def stop(self) -> None:
        """Stops following."""
        await self._follower.stop()

    def _take(self, message: Any) -> None:
        if message.value is None:
            self._devices.pop((message.key or b"").decode(errors="replace"), None)
            return
        device = Device.from_record(Record(message.key, message.value, tuple(message.headers)))
        self._devices[device.device_id] = device
