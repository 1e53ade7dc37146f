"""What the world does to sound between source and model, done to log-mel windows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# Rounding to 16 bits is white noise of 1/12 step^2; a Hann frame of 1,024 and a unit-area band make this of it.
_ROUNDING_DB = -87.0
_KNOTS = 7


def to_power(log_mel: Float32) -> Float32:
    """10 ** (dB / 10)."""
    power: Float32 = np.power(np.float32(10.0), log_mel * np.float32(0.1))
    return power


def to_db(power: Float32) -> Float32:
    """10 log10, floored where the features are."""
    return np.float32(10.0) * np.log10(np.maximum(power, np.float32(1e-10)))


def coloured(rng: np.random.Generator, count: int, n_mels: int, sd_db: float) -> Float32:
    """Random smooth frequency responses of microphones and mountings, float32 (count, 1, n_mels), dB."""
    knots = rng.normal(0.0, sd_db, (count, _KNOTS))
    at = np.linspace(0.0, _KNOTS - 1.0, n_mels)
    index = np.minimum(at.astype(np.int64), _KNOTS - 2)
    blend = 0.5 - 0.5 * np.cos(np.pi * (at - index))
    curves = knots[:, index] * (1.0 - blend) + knots[:, index + 1] * blend
    return curves[:, None, :].astype(np.float32)


def noise_floor(rng: np.random.Generator, count: int, n_mels: int, gain_db: tuple[float, float]) -> Float32:
    """What a level does: noise that does not follow the gain, relative to a sound whose gain is undone.

    Args:
        rng: draws.
        count: windows.
        n_mels: bands.
        gain_db: lowest and highest gain.

    Returns:
        float32 (count, 1, n_mels), power of rounding and sensor noise where the sound has kept its level.
    """
    gain = rng.uniform(*gain_db, (count, 1, 1))
    sensor = rng.uniform(0.0, 15.0, (count, 1, 1))
    slope = rng.uniform(-10.0, 10.0, (count, 1, 1)) * np.linspace(-0.5, 0.5, n_mels)
    return np.power(10.0, (_ROUNDING_DB + sensor + slope - gain) / 10.0).astype(np.float32)


def masked(rng: np.random.Generator, windows: Float32, share: float) -> Float32:
    """SpecAugment (Park et al., Interspeech 2019): one band and one stretch of time set to the window's mean.

    Args:
        rng: draws.
        windows: float32 (count, n_frames, n_mels); changed in place.
        share: of windows masked.
    """
    _, n_frames, n_mels = windows.shape
    for window in windows:
        if rng.random() >= share:
            continue
        width, length = int(rng.integers(1, n_mels // 6 + 1)), int(rng.integers(1, n_frames // 6 + 1))
        low, start = int(rng.integers(n_mels - width + 1)), int(rng.integers(n_frames - length + 1))
        mean = window.mean()
        window[:, low : low + width] = mean
        window[start : start + length] = mean
    return windows
