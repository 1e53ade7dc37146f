"""A scream: high, loud, and rough."""

from __future__ import annotations

import numpy as np

from synthesis.reverb import convolved, impulse_response
from synthesis.sound import SAMPLE_RATE, Float64
from synthesis.voice import breath, contour, peak, swell, voiced, wobble


def scream(seed: int, duration: float | None = None) -> Float64:
    """A human-like scream, float64 (n,), peak 1.

    What sets screams apart is roughness, amplitude modulation at 30 to 150 Hz (Arnal et al., Human screams occupy a
    privileged niche in the communication soundscape, Current Biology 25, 2015), on a high gliding pitch with energy
    to 8 kHz.

    Args:
        seed: of everything.
        duration: seconds; None draws 1 to 2.5.
    """
    rng = np.random.default_rng(seed)
    length = rng.uniform(1.0, 2.5) if duration is None else duration
    n = int(length * SAMPLE_RATE)
    top = float(np.exp(rng.uniform(np.log(800.0), np.log(1_800.0))))
    f0 = _pitch(rng, top, n)
    formants = tuple(
        (centre * rng.uniform(0.85, 1.2), rng.uniform(200.0, 600.0), rng.uniform(6.0, 16.0))
        for centre in (1_100.0, 1_900.0, 3_100.0, 4_300.0)
    )
    sound = voiced(f0, rng.uniform(-7.0, -2.0), formants)
    sound *= _roughness(rng, n)
    sound += rng.uniform(0.05, 0.3) * breath(rng, n, 1_500.0, 7_000.0)
    sound *= swell(n, rng.uniform(0.03, 0.15), rng.uniform(0.1, 0.4))
    room = impulse_response(int(rng.integers(2**62)), rng.uniform(0.1, 0.4), rng.uniform(0.05, 0.6))
    # Loud throats and near microphones clip softly.
    return peak(np.tanh(rng.uniform(0.7, 2.5) * peak(convolved(sound, room))))


def _pitch(rng: np.random.Generator, top: float, n: int) -> Float64:
    shape = np.array(
        [rng.uniform(0.55, 0.9), 1.0, rng.uniform(0.9, 1.08), rng.uniform(0.85, 1.05), rng.uniform(0.5, 0.9)]
    )
    jitter = 1.0 + rng.uniform(0.003, 0.02) * wobble(rng, n, 60.0) + rng.uniform(0.0, 0.03) * wobble(rng, n, 8.0)
    return np.clip(top * contour(shape, n) * jitter, 300.0, 2_000.0)


def _roughness(rng: np.random.Generator, n: int) -> Float64:
    rate = rng.uniform(30.0, 150.0) * (1.0 + 0.1 * wobble(rng, n, 10.0))
    phase = np.cumsum(rate) * (2.0 * np.pi / SAMPLE_RATE)
    depth = rng.uniform(0.3, 0.9) * np.clip(0.7 + 0.3 * wobble(rng, n, 4.0), 0.0, 1.0)
    return np.asarray(1.0 + depth * np.sin(phase))
