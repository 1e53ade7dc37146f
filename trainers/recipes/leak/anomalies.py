"""Anomalies generated from normal sound, to train a feature extractor with: those of AudioAnomalyDetection2022."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

KINDS = ("multiplied", "shuffled", "line", "flat-band", "noise")
"""Multiplied and shuffled change the sound, the others its image."""

SOUND_KINDS = KINDS[:2]
_MAX_FACTOR = 5
_PINK, _WHITE = 0.1, 0.002
_SEGMENTS = 5


def pink(rng: np.random.Generator, count: int) -> Float32:
    """Noise with power proportional to 1 / f, standard deviation 1, float32 (count,)."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    bins = np.arange(len(spectrum), dtype=np.float64)
    spectrum[1:] /= np.sqrt(bins[1:])
    spectrum[0] = 0.0
    samples = np.fft.irfft(spectrum, count)
    noise: Float32 = (samples / samples.std()).astype(np.float32)
    return noise


def multiplied(rng: np.random.Generator, samples: Float32) -> Float32:
    """Every sample times a random whole number from 0 to 5, plus pink noise a tenth as loud as the sound.

    The source scales its noise to full scale; recordings of loggers are far below that, so here it follows the sound.
    """
    factors = rng.integers(0, _MAX_FACTOR + 1, len(samples)).astype(np.float32)
    level = np.float32(_PINK * max(float(samples.std()), 1e-6))
    return np.clip(samples * factors + pink(rng, len(samples)) * level, -1.0, 1.0)


def shuffled(rng: np.random.Generator, samples: Float32) -> Float32:
    """The sound in five equal segments in another order."""
    segments = np.array_split(samples, _SEGMENTS)
    order = rng.permutation(_SEGMENTS)
    while (order == np.arange(_SEGMENTS)).all():
        order = rng.permutation(_SEGMENTS)
    return np.concatenate([segments[index] for index in order])


def change_sound(kind: str, rng: np.random.Generator, samples: Float32) -> Float32:
    """Sound float32 (n,) with an anomaly of one of :data:`SOUND_KINDS`."""
    return multiplied(rng, samples) if kind == "multiplied" else shuffled(rng, samples)


def change_image(kind: str, rng: np.random.Generator, image: Float32) -> Float32:
    """A copy of an image float32 (height, width) with an anomaly of one of the other kinds: a line across it, a band of
    frequencies set to its mean over time, or noise, white or pink along time."""
    changed = image.copy()
    height, width = image.shape
    if kind == "line":
        ends = rng.integers(0, height, 2)
        thick = int(rng.integers(1, 4))
        for column, row in enumerate(np.linspace(ends[0], ends[1], width).astype(np.int64)):
            changed[max(row - thick, 0) : row + thick, column] = image.max()
    elif kind == "flat-band":
        tall = int(rng.integers(height // 16 + 1, height // 4 + 1))
        low = int(rng.integers(height - tall + 1))
        band = changed[low : low + tall]
        band[:] = band.mean(axis=1, keepdims=True)
    elif rng.random() < 0.5:
        changed += np.float32(_WHITE * np.ptp(image) * 10.0) * rng.standard_normal(image.shape).astype(np.float32)
    else:
        changed += np.float32(_PINK * image.std()) * pink(rng, width)[None, :]
    return changed
