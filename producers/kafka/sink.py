"""Where chunks go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device


class Sink(Protocol):
    """Takes devices and their chunks, in order."""

    async def announce(self, device: Device) -> None:
        """Makes a device known; returns when readers can see it."""

    async def send(self, chunk: Chunk) -> None:
        """Takes a chunk, after waiting for room. It is on its way, not yet delivered."""


@dataclass(slots=True)
class MemorySink:
    """Keeps everything, with the contract checked as on the way to Kafka.

    Attributes:
        devices: as announced.
        chunks: as sent.
    """

    devices: list[Device] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)

    async def announce(self, device: Device) -> None:
        self.devices.append(device)

    async def send(self, chunk: Chunk) -> None:
        encode_chunk(chunk)
        self.chunks.append(chunk)
