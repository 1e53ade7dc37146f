"""Sources of sound, read block by block, and playback jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from producers.pcm import Block
from schemas.device import Device


class Source(Protocol):
    """Sound of one session; every read gives the same samples.

    Attributes:
        name: for people.
        sample_rate: Hz, 1,000 to 192,000.
        channels: 1 to 8.
        n_samples: samples per channel in all; None if unknown or endless.
        unit: of the samples.
        full_scale: the value in ``unit`` of the largest PCM step, > 0.
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
        """The blocks from the beginning; int16 (n, channels).

        Raises:
            InputError: it cannot be read to its end.
        """


@dataclass(frozen=True, slots=True)
class PlaybackJob:
    """The sources that one device plays one after another, each as a session of its own.

    Attributes:
        device: its manifest.
        sources: one or more.
        passes: number of times all sources are played, >= 1.
        regime: operating regime that the device reports; "" reports none.
    """

    device: Device
    sources: tuple[Source, ...]
    passes: int = 1
    regime: str = ""

    @property
    def length_ns(self) -> int | None:
        """Length of all passes, nanoseconds; None if a source's length is unknown."""
        total = 0
        for source in self.sources:
            if source.n_samples is None:
                return None
            total += source.n_samples * 1_000_000_000 // source.sample_rate
        return total * self.passes
