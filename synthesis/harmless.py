"""Harmless events that are easily confused with screams: voices, alarms, knocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synthesis.reverb import convolved, impulse_response
from synthesis.sound import SAMPLE_RATE, Float64
from synthesis.voice import band_noise, contour, fade_in_out, peak, random_curve, unit_rms, voiced

# First and second formants of vowels, Hz (Peterson and Barney, J. Acoust. Soc. Am. 24, 1952).
_VOWELS = ((730.0, 1_090.0), (270.0, 2_290.0), (530.0, 1_840.0), (570.0, 840.0), (300.0, 870.0), (660.0, 1_720.0))


def harmless(seed: int, kind: str) -> Float64:
    """An event in a small room, float64 (n,), peak 1.

    Args:
        seed: 0 <= seed < 2**62.
        kind: a key of :data:`HARMLESS`.

    Raises:
        KeyError: the kind is unknown.
    """
    rng = np.random.default_rng(seed)
    dry = HARMLESS[kind](rng)
    room = impulse_response(int(rng.integers(2**62)), rng.uniform(0.1, 0.4), rng.uniform(0.05, 0.6))
    return peak(convolved(dry, room))


def _samples(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE)


def _silence(seconds: float) -> Float64:
    return np.zeros(_samples(seconds))


def _formants(rng: np.random.Generator, scale: float) -> tuple[tuple[float, float, float], ...]:
    first, second = _VOWELS[int(rng.integers(len(_VOWELS)))]
    return (
        (first * scale, 90.0, 20.0),
        (second * scale, 130.0, 16.0),
        (2_600.0 * scale, 200.0, 10.0),
        (3_500.0 * scale, 300.0, 6.0),
    )


def _speech(rng: np.random.Generator) -> Float64:
    """A phrase of syllables, 1 to 3 s."""
    pitch, scale, parts = rng.uniform(90.0, 250.0), rng.uniform(0.9, 1.2), []
    syllables = int(rng.integers(5, 14))
    melody = contour(rng.uniform(0.8, 1.25, 5), syllables)
    for syllable in range(syllables):
        if rng.random() < 0.5:
            hiss = band_noise(rng, _samples(rng.uniform(0.04, 0.1)), rng.uniform(1_500.0, 4_000.0), 7_000.0)
            parts.append(rng.uniform(0.05, 0.25) * hiss * fade_in_out(len(hiss), 0.01, 0.02))
        n = _samples(rng.uniform(0.09, 0.24))
        f0 = pitch * melody[syllable] * (contour(rng.uniform(0.93, 1.07, 3), n) + 0.006 * random_curve(rng, n, 30.0))
        parts.append(voiced(f0, -9.0, _formants(rng, scale)) * fade_in_out(n, 0.02, 0.05) * rng.uniform(0.5, 1.0))
        if rng.random() < 0.25:
            parts.append(_silence(rng.uniform(0.03, 0.2)))
    return np.concatenate(parts)


def _laughter(rng: np.random.Generator) -> Float64:
    pitch, scale, parts = rng.uniform(180.0, 480.0), rng.uniform(1.0, 1.2), []
    count, pace = int(rng.integers(4, 11)), rng.uniform(4.0, 6.0)
    for syllable in range(count):
        n = _samples(rng.uniform(0.45, 0.6) / pace)
        f0 = pitch * (1.0 - 0.3 * syllable / count) * contour(np.array([1.15, 1.0, 0.85]), n)
        vowel = voiced(f0, -7.0, _formants(rng, scale)) + 0.2 * band_noise(rng, n, 800.0, 5_000.0)
        parts += [vowel * fade_in_out(n, 0.02, 0.05), 0.12 * band_noise(rng, _samples(0.4 / pace), 500.0, 4_000.0)]
    return np.concatenate(parts)


def _baby_cry(rng: np.random.Generator) -> Float64:
    pitch, parts = rng.uniform(350.0, 600.0), []
    for _ in range(int(rng.integers(2, 4))):
        n = _samples(rng.uniform(0.6, 1.1))
        vibrato = 1.0 + 0.02 * np.sin(2.0 * np.pi * rng.uniform(5.0, 8.0) * np.arange(n) / SAMPLE_RATE)
        f0 = pitch * contour(np.array([0.8, 1.1, 1.05, 0.8]), n) * vibrato
        wail = voiced(f0, -6.0, ((1_100.0, 250.0, 14.0), (3_300.0, 400.0, 10.0)))
        parts += [
            wail * fade_in_out(n, 0.08, 0.2),
            0.15 * band_noise(rng, _samples(0.2), 800.0, 4_000.0),
            _silence(0.15),
        ]
    return np.concatenate(parts)


def _dog_bark(rng: np.random.Generator) -> Float64:
    pitch, parts = rng.uniform(350.0, 800.0), []
    for _ in range(int(rng.integers(2, 6))):
        n = _samples(rng.uniform(0.12, 0.22))
        f0 = pitch * contour(np.array([0.8, 1.15, 0.6]), n) * (1.0 + 0.04 * random_curve(rng, n, 120.0))
        bark = voiced(f0, -6.0, ((900.0, 300.0, 12.0), (2_000.0, 500.0, 6.0))) + 0.5 * band_noise(
            rng, n, 400.0, 4_000.0
        )
        parts += [bark * fade_in_out(n, 0.01, 0.1), _silence(rng.uniform(0.2, 0.5))]
    return np.concatenate(parts)


def _whistle(rng: np.random.Generator) -> Float64:
    n = _samples(rng.uniform(0.6, 2.0))
    f0 = (
        rng.uniform(1_000.0, 2_800.0)
        * contour(rng.uniform(0.8, 1.25, 4), n)
        * (1.0 + 0.002 * random_curve(rng, n, 20.0))
    )
    phase = np.cumsum(f0) * (2.0 * np.pi / SAMPLE_RATE)
    tone = np.sin(phase) + 0.03 * np.sin(2.0 * phase) + 0.03 * band_noise(rng, n, 1_000.0, 5_000.0)
    return np.asarray(tone * fade_in_out(n, 0.05, 0.1))


def _siren(rng: np.random.Generator) -> Float64:
    n = _samples(rng.uniform(2.0, 4.0))
    low, high, rate = rng.uniform(450.0, 700.0), rng.uniform(1_000.0, 1_600.0), rng.uniform(0.25, 3.0)
    sweep = 0.5 - 0.5 * np.cos(2.0 * np.pi * rate * np.arange(n) / SAMPLE_RATE)
    return voiced(low * (high / low) ** sweep, rng.uniform(-12.0, -6.0), ()) * fade_in_out(n, 0.05, 0.2)


def _alarm(rng: np.random.Generator) -> Float64:
    hz, harmonic = rng.uniform(800.0, 3_200.0), rng.uniform(-14.0, -6.0)
    beep = _samples(rng.uniform(0.08, 0.4))
    one = np.concatenate([voiced(np.full(beep, hz), harmonic, ()) * fade_in_out(beep, 0.005, 0.01), np.zeros(beep)])
    return np.tile(one, int(rng.integers(3, 8)))


def _tone(rng: np.random.Generator) -> Float64:
    n = _samples(rng.uniform(0.5, 2.0))
    return voiced(np.full(n, rng.uniform(300.0, 3_000.0)), rng.uniform(-20.0, -6.0), ()) * fade_in_out(n, 0.02, 0.05)


def _door_knock(rng: np.random.Generator) -> Float64:
    return _thuds(rng, int(rng.integers(2, 5)), rng.uniform(0.18, 0.3), (140.0, 420.0, 900.0))


def _footsteps(rng: np.random.Generator) -> Float64:
    return _thuds(rng, int(rng.integers(4, 9)), rng.uniform(0.45, 0.65), (70.0, 180.0, 1_400.0))


def _thuds(rng: np.random.Generator, count: int, gap: float, modes: tuple[float, ...]) -> Float64:
    out = np.zeros(_samples(count * gap + 0.4))
    for k in range(count):
        n = _samples(0.25)
        t = np.arange(n) / SAMPLE_RATE
        thud = 0.3 * band_noise(rng, n, 200.0, 3_000.0) * np.exp(-t / 0.012)
        for hz in modes:
            thud += np.exp(-t / rng.uniform(0.02, 0.05)) * np.sin(2.0 * np.pi * hz * rng.uniform(0.9, 1.1) * t) / 2.0
        start = _samples(k * gap * rng.uniform(0.97, 1.03))
        out[start : start + n] += rng.uniform(0.6, 1.0) * thud
    return unit_rms(out)


HARMLESS: dict[str, Callable[[np.random.Generator], Float64]] = {
    "speech": _speech,
    "laughter": _laughter,
    "baby-cry": _baby_cry,
    "dog-bark": _dog_bark,
    "whistle": _whistle,
    "siren": _siren,
    "alarm": _alarm,
    "tone": _tone,
    "door-knock": _door_knock,
    "footsteps": _footsteps,
}
