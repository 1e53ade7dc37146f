"""A source: sound of known form, read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from producers.pcm import Block
from schemas.device import Device


class Source(Protocol):
    """Sound that makes up one session, the same whenever it is read.

    Attributes:
        name: for people.
        sample_rate: Hz, 1,000 to 192,000.
        channels: 1 to 8.
        n_samples: samples per channel in all, as far as is known beforehand; None for sound without an end.
        unit: what a sample measures.
        full_scale: the value in ``unit`` that the largest PCM step stands for, > 0.
    """

    @property
    def name(self) -> str: ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def n_samples(self) -> int | None: ...

    @property
    def unit(self) -> str: ...

    @property
    def full_scale(self) -> float: ...

    def blocks(self) -> Iterator[Block]:
        """From the beginning; int16 (n, channels).

        Raises:
            InputError: it cannot be read, or not to its end.
        """


@dataclass(frozen=True, slots=True)
class PlaybackJob:
    """What one device plays: its sources one after another, each a session of its own.

    Attributes:
        device: its manifest.
        sources: one or more.
        passes: how often all of it is played, >= 1.
        regime: the device's way of working; "" says none.
    """

    device: Device
    sources: tuple[Source, ...]
    passes: int = 1
    regime: str = ""

    @property
    def length_ns(self) -> int | None:
        """How long all passes last, in nanoseconds; None when a source has no known end."""
        total = 0
        for source in self.sources:
            if source.n_samples is None:
                return None
            total += source.n_samples * 1_000_000_000 // source.sample_rate
        return total * self.passes
