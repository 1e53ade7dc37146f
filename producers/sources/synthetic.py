"""Synthetic machines and rooms as sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from producers.pcm import Block, to_block
from producers.source import PlaybackJob
from schemas.device import Device
from schemas.errors import SettingsError
from synthesis.device import SyntheticDevice
from synthesis.factory import demo_factory

_BLOCK_SAMPLES = 8_192
"""A multiple of a device's rendering block, so that nothing is rendered twice."""
_MAX_SEED = 2**62
_MAX_SECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A synthetic device's sound.

    Attributes:
        device: renders it.
        n_samples: length; None is endless.
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
        """Blocks of 8,192 samples, int16 (n, 1)."""
        at = 0
        while self.n_samples is None or at < self.n_samples:
            n = _BLOCK_SAMPLES if self.n_samples is None else min(_BLOCK_SAMPLES, self.n_samples - at)
            yield to_block(self.device.render(at, n)[:, None], at=at)
            at += n


def synthetic_jobs(
    *, seed: int, seconds: float | None, chosen: Sequence[str] = (), regime: str = ""
) -> list[PlaybackJob]:
    """Playback jobs of the demo factory's devices.

    Args:
        seed: of the sound, 0 <= seed < 2**62.
        seconds: length of the sound, > 0; None is endless.
        chosen: device ids; empty means all.
        regime: operating regime to report; "" reports none.

    Raises:
        SettingsError: the factory has no such device, or ``seed`` or ``seconds`` is out of range.
    """
    if not 0 <= seed < _MAX_SEED:
        raise SettingsError(f"--seed {seed}; choose 0 to {_MAX_SEED - 1}")
    if seconds is not None and not 0 < seconds <= _MAX_SECONDS:
        raise SettingsError(f"--seconds {seconds}; choose more than 0 and at most {_MAX_SECONDS}")
    factory = {device.device_id: device for device in demo_factory(seed)}
    unknown = [name for name in chosen if name not in factory]
    if unknown:
        raise SettingsError(f"no synthetic device {', '.join(map(repr, unknown))}; there are {', '.join(factory)}")
    jobs = []
    for device in (factory[name] for name in chosen or factory):
        source = Synthetic(device, None if seconds is None else max(1, round(seconds * device.sample_rate)))
        manifest = Device(
            device_id=device.device_id,
            kind=device.kind,
            sample_rate=device.sample_rate,
            description=device.description,
        )
        jobs.append(PlaybackJob(manifest, (source,), regime=regime))
    return jobs
