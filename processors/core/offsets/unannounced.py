"""Devices without a manifest: a bounded number of places in each partition, so that random ids cost next to nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_UNANNOUNCED = 256
"""Places for devices without a manifest in a partition."""
PLACE_MS = 60_000
"""A place is free again once its device has sent nothing for so long, by the broker's clock."""


@dataclass(slots=True)
class UnannouncedDevices:
    """The devices without a manifest that are admitted to a partition. The cost of a chunk does not grow with them.

    Attributes:
        last_ms: broker time of each one's latest record, the one longest silent first.
    """

    last_ms: dict[str, int] = field(default_factory=dict)

    def admit(self, device_id: str, timestamp_ms: int) -> bool:
        """Whether the device has a place, or takes a free one.

        Args:
            device_id: without a manifest.
            timestamp_ms: broker time of its record, milliseconds since 1970.
        """
        last_ms = self.last_ms
        while last_ms:
            oldest = next(iter(last_ms))
            if timestamp_ms - last_ms[oldest] <= PLACE_MS:
                break
            del last_ms[oldest]
        if last_ms.pop(device_id, None) is None and len(last_ms) >= MAX_UNANNOUNCED:
            return False
        last_ms[device_id] = timestamp_ms
        return True
