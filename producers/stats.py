"""Statistics of a producer run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from producers.pcm import Block
from schemas.chunk import Chunk


@dataclass(slots=True)
class ProducerStats:
    """Counts of one run.

    Attributes:
        devices: announced device ids.
        sessions: sessions begun.
        chunks: chunks sent.
        bytes: bytes of PCM sent.
        clipped: values that exceeded full scale and were clipped.
        lost: samples per channel that were captured but lost.
        samples_by_rate: samples per channel sent, by sample rate in Hz.
        failures: error messages of sources that could not be played to their end.
    """

    devices: set[str] = field(default_factory=set)
    sessions: int = 0
    chunks: int = 0
    bytes: int = 0
    clipped: int = 0
    lost: int = 0
    samples_by_rate: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def samples(self) -> int:
        """Samples per channel sent."""
        return self.samples_by_rate.total()

    @property
    def seconds(self) -> float:
        """Seconds of sound sent, all devices together."""
        return sum(samples / rate for rate, samples in self.samples_by_rate.items())

    def count_block(self, block: Block) -> None:
        """Adds a block's clipped and lost samples."""
        self.clipped += block.clipped
        self.lost += block.lost

    def count_chunk(self, chunk: Chunk) -> None:
        """Adds a chunk that was sent."""
        self.chunks += 1
        self.bytes += len(chunk.pcm)
        self.samples_by_rate[chunk.sample_rate] += chunk.n_samples
