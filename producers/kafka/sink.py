"""Destinations of chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device


class Sink(Protocol):
    """Accepts devices and their chunks, in order."""

    async def announce(self, device: Device) -> None:
        """Announces a device; returns when readers can see it."""

    async def send(self, chunk: Chunk) -> None:
        """Enqueues a chunk, after waiting for space; returns before it is delivered."""


@dataclass(slots=True)
class MemorySink:
    """Stores everything in memory, and checks the contract as for Kafka.

    Attributes:
        devices: announced devices.
        chunks: sent chunks.
    """

    devices: list[Device] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)

    async def announce(self, device: Device) -> None:
        self.devices.append(device)

    async def send(self, chunk: Chunk) -> None:
        encode_chunk(chunk)
        self.chunks.append(chunk)
