"""Admission: which devices' chunks are scored, and that a new device's manifest is read first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from processors.core.offsets.partition import Partition
from processors.core.offsets.unannounced import MAX_UNANNOUNCED, PLACE_MS
from processors.stream.ports import DeviceManifests
from schemas.chunk import Chunk
from schemas.errors import DeviceNotAdmitted

_log = structlog.get_logger(__name__)
_CATCH_UP_EVERY_S = 0.1
_REPORT_EVERY_S = 10.0

T = TypeVar("T")


class Admission:
    """Admits every announced device, and a bounded number of others in each partition.

    Args:
        manifests: of devices.
        clock: seconds, monotonic.
    """

    def __init__(self, manifests: DeviceManifests, clock: Callable[[], float]) -> None:
        self._manifests = manifests
        self._clock = clock
        self._known_until = float("-inf")
        self._refused = 0
        self._reported_at = float("-inf")

    async def await_manifests(self, new: Sequence[tuple[str, float]]) -> None:
        """Makes sure that manifests are read, if there are any.

        A producer announces its device before it sends, so that one reading serves all chunks taken before it, however
        many devices they are of; and there are ten in a second at most.

        Args:
            new: devices that have no stream, and when their chunks were taken, seconds of the clock.
        """
        unknown = [taken_s for device_id, taken_s in new if self._manifests.get(device_id) is None]
        if not unknown or max(unknown) < self._known_until:
            return
        if (wait_s := self._known_until + _CATCH_UP_EVERY_S - self._clock()) > 0:
            await asyncio.sleep(wait_s)
        self._known_until = self._clock()
        await self._manifests.catch_up()

    def refuse(
        self, partitions: Mapping[int, Partition[T]], chunk: Chunk, partition: int, timestamp_ms: int
    ) -> DeviceNotAdmitted | None:
        """Why a chunk's device is not admitted; None where it is.

        Args:
            partitions: by number.
            chunk: see above.
            partition: its number.
            timestamp_ms: broker time of its record, milliseconds since 1970.
        """
        if self._manifests.get(chunk.device_id) is not None:
            return None
        if partitions[partition].unannounced.admit(chunk.device_id, timestamp_ms):
            return None
        self._refused += 1
        return DeviceNotAdmitted(
            f"{chunk.device_id!r} has no manifest, and {MAX_UNANNOUNCED} others without one have sent to partition"
            f" {partition} in the last {PLACE_MS // 1_000} s: announce it"
        )

    def report(self) -> None:
        """Logs how many chunks were refused, every ten seconds at most."""
        now = self._clock()
        if self._refused and now - self._reported_at >= _REPORT_EVERY_S:
            _log.warning("chunks of devices without a manifest became dead letters", count=self._refused)
            self._refused, self._reported_at = 0, now
