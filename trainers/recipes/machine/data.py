"""Training data of the machine recipe: frames of synthetic machines, healthy and with faults."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of
from schemas.features import FeatureSpec
from synthesis.draws import seed_of
from synthesis.fault import FAULTS, RAMP_SECONDS, random_fault
from synthesis.machine import KINDS, random_machine
from synthesis.sound import SAMPLE_RATE, Sound
from trainers.progress import track

Float32 = npt.NDArray[np.float32]

_RAMP = int(RAMP_SECONDS * SAMPLE_RATE)


@dataclass(frozen=True, slots=True, eq=False)
class MachineFrames:
    """A machine's log-mel frames.

    Attributes:
        kind: of machine.
        healthy: float32 (frames, n_mels), dB.
        faulty: by fault kind, the same span of time with the fault at full strength; frames match ``healthy``'s.
    """

    kind: str
    healthy: Float32
    faulty: dict[str, Float32]


def synthetic_machine(seed: int, spec: FeatureSpec, seconds: float, severities: dict[str, float]) -> MachineFrames:
    """Frames of one machine; its kind cycles with ``seed``.

    Args:
        seed: of machine and faults.
        spec: the features.
        seconds: of sound.
        severities: fault kind to its level relative to the machine, dB.
    """
    machine = random_machine(seed_of(seed, 0), list(KINDS)[seed % len(KINDS)])
    faulty = {}
    for number, (kind, severity) in enumerate(severities.items(), start=1):
        fault = random_fault(seed_of(seed, number), machine, kind)
        faulty[kind] = _frames(fault.onto(machine, 0, severity), spec, seconds)
    return MachineFrames(machine.kind, _frames(machine.sound, spec, seconds), faulty)


def synthetic_machines(
    seed: int, count: int, spec: FeatureSpec, seconds: float, severity_db: tuple[float, float], faults: int
) -> list[MachineFrames]:
    """Frames of ``count`` machines with ``faults`` random faults each, at severities within ``severity_db``.

    Args:
        seed: of all machines.
        count, spec, seconds: see :func:`synthetic_machine`.
        severity_db: lowest and highest level of a fault relative to its machine, dB.
        faults: faults of each machine, one at a time.
    """
    machines = []
    for number in track(range(count), "making machines"):
        rng = np.random.default_rng([seed, number])
        kinds = rng.permutation(list(FAULTS))[:faults].tolist()
        severities = {kind: float(rng.uniform(*severity_db)) for kind in kinds}
        machines.append(
            synthetic_machine(seed_of(seed, number) // len(KINDS) * len(KINDS) + number, spec, seconds, severities)
        )
    return machines


def _frames(sound: Sound, spec: FeatureSpec, seconds: float) -> Float32:
    # The fault is at full strength after its ramp; the healthy sound starts there as well, so that frames match.
    samples = sound.at(_RAMP, int(seconds * SAMPLE_RATE))
    return rows_of(np.clip(samples, -1.0, 1.0).astype(np.float32), SAMPLE_RATE, spec)
