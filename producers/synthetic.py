"""Synthetic machines and rooms as sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthesis.factory import SyntheticDevice, demo_factory

from producers.pcm import Block, to_block
from producers.source import Part
from schemas.device import Device
from schemas.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A synthetic device's sound.

    Attributes:
        device: renders it.
        n_samples: how much of it; None goes on without end.
    """

    device: SyntheticDevice
    n_samples: int | None

    @property
    def unit(self) -> str:
        return "full scale"

    @property
    def full_scale(self) -> float:
        return 1.0

    @property
    def name(self) -> str:
        return self.device.device_id

    @property
    def sample_rate(self) -> int:
        return self.device.sample_rate

    @property
    def channels(self) -> int:
        return 1

    def blocks(self) -> Iterator[Block]:
        """Half-second blocks, int16 (n, 1)."""
        at = 0
        while self.n_samples is None or at < self.n_samples:
            n = self.sample_rate // 2
            if self.n_samples is not None:
                n = min(n, self.n_samples - at)
            yield to_block(self.device.render(at, n)[:, None], at=at)
            at += n


def synthetic_parts(*, seed: int, seconds: float | None, chosen: Sequence[str] = ()) -> list[Part]:
    """The demo factory's devices, or those chosen from it.

    Args:
        seed: decides the sound.
        seconds: how much of it, > 0; None goes on without end.
        chosen: device ids; all by default.

    Raises:
        SettingsError: the factory has no such device, or ``seconds`` is not above 0.
    """
    if seconds is not None and not seconds > 0:
        raise SettingsError(f"--seconds {seconds}; choose more than 0")
    factory = {device.device_id: device for device in demo_factory(seed)}
    unknown = [name for name in chosen if name not in factory]
    if unknown:
        raise SettingsError(f"no synthetic device {', '.join(map(repr, unknown))}; there are {', '.join(factory)}")
    parts = []
    for device in (factory[name] for name in chosen or factory):
        source = Synthetic(device, None if seconds is None else max(1, round(seconds * device.sample_rate)))
        manifest = Device(
            device_id=device.device_id,
            kind=device.kind,
            sample_rate=device.sample_rate,
            description=device.description,
        )
        parts.append(Part(manifest, (source,)))
    return parts
