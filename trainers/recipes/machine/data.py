"""What the machine recipe learns from: synthetic machines, each heard healthy and with faults."""

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
class HeardMachine:
    """A machine's log-mel frames.

    Attributes:
        kind: of machine.
        healthy: float32 (frames, n_mels), dB.
        faulty: by fault kind, the same stretch of time with the fault fully grown; frames match ``healthy``'s.
    """

    kind: str
    healthy: Float32
    faulty: dict[str, Float32]


def hear(seed: int, spec: FeatureSpec, seconds: float, severities: dict[str, float]) -> HeardMachine:
    """One machine, kinds in turn by ``seed``.

    Args:
        seed: of machine and faults.
        spec: the features.
        seconds: how long to listen.
        severities: fault kind to its level relative to the machine, dB.
    """
    machine = random_machine(seed_of(seed, 0), list(KINDS)[seed % len(KINDS)])
    faulty = {}
    for number, (kind, severity) in enumerate(severities.items(), start=1):
        fault = random_fault(seed_of(seed, number), machine, kind)
        faulty[kind] = _frames(fault.onto(machine, 0, severity), spec, seconds)
    return HeardMachine(machine.kind, _frames(machine.sound, spec, seconds), faulty)


def hear_many(
    seed: int, count: int, spec: FeatureSpec, seconds: float, severity_db: tuple[float, float], faults: int
) -> list[HeardMachine]:
    """``count`` machines with ``faults`` random faults each, at severities within ``severity_db``.

    Args:
        seed: of all of them.
        count, spec, seconds: see :func:`hear`.
        severity_db: lowest and highest level of a fault relative to its machine, dB.
        faults: faults a machine is heard with, one after the other.
    """
    machines = []
    for number in track(range(count), "listening to machines"):
        rng = np.random.default_rng([seed, number])
        kinds = rng.permutation(list(FAULTS))[:faults].tolist()
        severities = {kind: float(rng.uniform(*severity_db)) for kind in kinds}
        machines.append(hear(seed_of(seed, number) // len(KINDS) * len(KINDS) + number, spec, seconds, severities))
    return machines


def _frames(sound: Sound, spec: FeatureSpec, seconds: float) -> Float32:
    # The fault is fully grown after its ramp; the healthy sound starts there as well, so that frames match.
    samples = sound.at(_RAMP, int(seconds * SAMPLE_RATE))
    return rows_of(np.clip(samples, -1.0, 1.0).astype(np.float32), SAMPLE_RATE, spec)
