"""The synthetic devices of the first minutes: healthy machines, machines with a fault, the demo's factory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from producers.pcm import Block, to_block
from producers.sources.synthetic import Synthetic
from synthesis.device import SyntheticDevice
from synthesis.draws import seed_of
from synthesis.factory import FAULT_ONSET, demo_factory
from synthesis.fault import FAULTS, random_fault
from synthesis.machine import KINDS, random_machine
from synthesis.sound import SAMPLE_RATE

HEALTHY_S, FAULT_S, DEMO_S = 300.0, 75.0, 75.0
STARTS = 16
"""Points of its sound at which a healthy machine begins, one after the other: its sound goes round."""
FAULT_DB = 0.0
"""Level of a fault relative to its machine."""

_BLOCK_SAMPLES = 32_768
_KINDS, _FAULTS = tuple(KINDS), tuple(FAULTS)


@dataclass(frozen=True, slots=True)
class PlayedDevice:
    """A device that is played.

    Attributes:
        name: unique.
        group: ``healthy``, the kind of a fault, or ``demo``.
        device: its sound and its events.
        seconds: that are played.
    """

    name: str
    group: str
    device: SyntheticDevice
    seconds: float

    @property
    def onset_s(self) -> float:
        """Second at which an alert is due; infinite where none is."""
        if not self.device.expects_alert:
            return math.inf
        return min(start for name, start, _ in self.device.events if name == "scream" or name in FAULTS)


class PlayedSound(Synthetic):
    """A device's sound in blocks of two seconds: the scores equal those of smaller blocks, at less cost."""

    def blocks(self) -> Iterator[Block]:
        """See :class:`producers.source.Source`."""
        n_samples = self.n_samples or 0
        for at in range(0, n_samples, _BLOCK_SAMPLES):
            yield to_block(self.device.render(at, min(_BLOCK_SAMPLES, n_samples - at))[:, None], at=at)


def healthy(seed: int, number: int) -> PlayedDevice:
    """A healthy machine; its kind cycles with ``number``."""
    kind = _KINDS[number % len(_KINDS)]
    sound = random_machine(seed_of(seed_of(seed, 0), number), kind).sound
    device = SyntheticDevice(f"healthy-{number}", "machine", f"a healthy {kind}", (), False, sound)
    return PlayedDevice(device.device_id, "healthy", device, HEALTHY_S)


def faulty(seed: int, number: int, fault: str) -> PlayedDevice:
    """A machine with a fault as loud as the machine, which begins after 35 s; its kind cycles with ``number``."""
    own_seed = seed_of(seed_of(seed, 1), len(_FAULTS) * number + _FAULTS.index(fault))
    machine = random_machine(own_seed, _KINDS[number % len(_KINDS)])
    sound = random_fault(seed_of(own_seed, 0), machine, fault).onto(machine, int(FAULT_ONSET * SAMPLE_RATE), FAULT_DB)
    events = ((fault, FAULT_ONSET, math.inf),)
    device = SyntheticDevice(f"{fault}-{number}", "machine", f"a {machine.kind} with {fault}", events, True, sound)
    return PlayedDevice(device.device_id, fault, device, FAULT_S)


def factory(number: int) -> list[PlayedDevice]:
    """The demo's devices with seed ``number``."""
    return [
        PlayedDevice(f"demo-{number}-{device.device_id}", "demo", device, DEMO_S) for device in demo_factory(number)
    ]
