"""Synthetic screams: high, loud and rough."""

from __future__ import annotations

import numpy as np

from synthesis.reverb import convolved, impulse_response
from synthesis.sound import SAMPLE_RATE, Float64
from synthesis.voice import band_noise, contour, fade_in_out, peak, random_curve, voiced

_CROWD_SHARE, _ROUGH_SHARE = 0.12, 0.75


def scream(seed: int, duration: float | None = None) -> Float64:
    """A human-like scream, float64 (n,), peak 1.

    The distinguishing feature of screams is roughness, amplitude modulation at 30 to 150 Hz (Arnal et al., Human
    screams occupy a privileged niche in the communication soundscape, Current Biology 25, 2015), on a high gliding
    pitch with energy to 8 kHz.

    Args:
        seed: of all its parameters.
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
    sound += rng.uniform(0.05, 0.3) * band_noise(rng, n, 1_500.0, 7_000.0)
    sound *= fade_in_out(n, rng.uniform(0.03, 0.15), rng.uniform(0.1, 0.4))
    room = impulse_response(int(rng.integers(2**62)), rng.uniform(0.1, 0.4), rng.uniform(0.05, 0.6))
    # Soft clipping, as of loud voices near microphones.
    return peak(np.tanh(rng.uniform(0.7, 2.5) * peak(convolved(sound, room))))


def varied_scream(seed: int) -> Float64:
    """A scream of greater variety than :func:`scream`, for training, float64 (n,), peak 1.

    Men's screams are lower than women's and children's, with closer harmonics; some are smooth, some hoarse, some hold
    one pitch; one in eight comes from two to five people at once.

    Args:
        seed: of all its parameters.
    """
    rng = np.random.default_rng(seed)
    people = int(rng.integers(2, 6)) if rng.random() < _CROWD_SHARE else 1
    n = int(np.exp(rng.uniform(np.log(0.6), np.log(3.5))) * SAMPLE_RATE)
    sound = np.zeros(n)
    for _ in range(people):
        own = int(n * rng.uniform(0.6, 1.0)) if people > 1 else n
        start = int(rng.integers(n - own + 1))
        sound[start : start + own] += rng.uniform(0.4, 1.0) * _one_voice(rng, own)
    room = impulse_response(int(rng.integers(2**62)), rng.uniform(0.1, 0.8), rng.uniform(0.0, 0.6))
    return peak(np.tanh(rng.uniform(0.5, 4.0) * peak(convolved(sound, room))))


def _one_voice(rng: np.random.Generator, n: int) -> Float64:
    """One voice, float64 (n,), peak 1."""
    top = float(np.exp(rng.uniform(np.log(280.0), np.log(2_200.0))))
    # Lower voices have longer vocal tracts.
    tract = (top / 1_000.0) ** 0.15 * rng.uniform(0.85, 1.2)
    formants = tuple(
        (centre * tract * rng.uniform(0.9, 1.1), rng.uniform(150.0, 600.0), rng.uniform(4.0, 18.0))
        for centre in (1_050.0, 1_700.0, 2_900.0, 4_000.0)
    )
    glide = rng.uniform(0.0, 1.0)
    knots = (
        rng.uniform(0.55, 1.0), 1.0, rng.uniform(0.9, 1.1), rng.uniform(0.8, 1.05), rng.uniform(0.5, 1.0)
    )  # fmt: skip
    shape = 1.0 - glide * (1.0 - np.array(knots))
    jitter = (
        1.0 + rng.uniform(0.002, 0.03) * random_curve(rng, n, 60.0) + rng.uniform(0.0, 0.03) * random_curve(rng, n, 8.0)
    )
    f0 = np.clip(top * contour(shape, n) * jitter, 200.0, 2_500.0)
    sound = voiced(f0, rng.uniform(-8.0, 0.0), formants)
    if rng.random() < _ROUGH_SHARE:
        sound *= _roughness(rng, n)
    sound += rng.uniform(0.02, 0.6) * band_noise(rng, n, rng.uniform(400.0, 2_000.0), 7_000.0)
    return peak(sound * fade_in_out(n, rng.uniform(0.02, 0.25), rng.uniform(0.05, 0.5)))


def _pitch(rng: np.random.Generator, top: float, n: int) -> Float64:
    shape = np.array(
        [rng.uniform(0.55, 0.9), 1.0, rng.uniform(0.9, 1.08), rng.uniform(0.85, 1.05), rng.uniform(0.5, 0.9)]
    )
    jitter = (
        1.0 + rng.uniform(0.003, 0.02) * random_curve(rng, n, 60.0) + rng.uniform(0.0, 0.03) * random_curve(rng, n, 8.0)
    )
    return np.clip(top * contour(shape, n) * jitter, 300.0, 2_000.0)


def _roughness(rng: np.random.Generator, n: int) -> Float64:
    rate = rng.uniform(30.0, 150.0) * (1.0 + 0.1 * random_curve(rng, n, 10.0))
    phase = np.cumsum(rate) * (2.0 * np.pi / SAMPLE_RATE)
    depth = rng.uniform(0.3, 0.9) * np.clip(0.7 + 0.3 * random_curve(rng, n, 4.0), 0.0, 1.0)
    return np.asarray(1.0 + depth * np.sin(phase))
