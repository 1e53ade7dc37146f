"""What the world does to sound between source and model, done to log-mel windows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.audio.mel import band_edges, hz_to_mel
from schemas.features import FeatureSpec

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


def band_limited(rng: np.random.Generator, count: int, n_mels: int, share: float) -> Float32:
    """What telephones and cheap microphones do not hear: high bands or low ones weaker, float32 (count, 1, n_mels), dB.

    Args:
        rng: draws.
        count: windows.
        n_mels: bands.
        share: of windows that lose high bands, and of those that lose low ones.
    """
    bands = np.arange(n_mels)
    high = rng.integers(round(0.56 * n_mels), n_mels + 1, (count, 1, 1))
    low = rng.integers(0, round(0.16 * n_mels) + 1, (count, 1, 1))
    without_high = (rng.random((count, 1, 1)) < share) & (bands >= high)
    without_low = (rng.random((count, 1, 1)) < share) & (bands < low)
    high_db, low_db = rng.uniform(-70.0, -15.0, (count, 1, 1)), rng.uniform(-40.0, -5.0, (count, 1, 1))
    return (np.where(without_high, high_db, 0.0) + np.where(without_low, low_db, 0.0)).astype(np.float32)


def reverberated(rng: np.random.Generator, power: Float32, lead: int, seconds_a_frame: float, share: float) -> Float32:
    """Sound in rooms: convolved with impulse responses whose energy decays exponentially (Polack 1988), 0.15 to 1.2 s.

    Powers of what arrives at different times add, since a room's tail has no phase in common with the sound.

    Args:
        rng: draws.
        power: float32 (count, lead + n_frames, n_mels).
        lead: frames in front whose tail is heard but which are not given back.
        seconds_a_frame: from one frame to the next.
        share: of windows that are in a room.

    Returns:
        float32 (count, n_frames, n_mels).
    """
    heard = power[:, lead:].copy()
    inside = np.flatnonzero(rng.random(len(power)) < share)
    seconds = np.exp(rng.uniform(np.log(0.15), np.log(1.2), (len(inside), 1, 1)))
    decay = np.power(10.0, -6.0 * seconds_a_frame / seconds)
    # The tail's energy against the direct sound's, 0.2 to 2: near and far.
    weight = rng.uniform(0.2, 2.0, (len(inside), 1, 1)) * (1.0 - decay) / decay
    tail = np.zeros_like(heard[inside])
    for back in range(1, lead + 1):
        weight = weight * decay
        tail += weight.astype(np.float32) * power[inside, lead - back : power.shape[1] - back]
    heard[inside] += tail
    return heard


def warps(spec: FeatureSpec, factor: float, count: int) -> Float32:
    """Matrices that move a spectrum along frequency, as another throat would (Jaitly and Hinton, ICML 2013).

    Args:
        spec: of the bands.
        factor: highest shift; the lowest is its inverse.
        count: shifts, evenly spaced on a logarithmic scale.

    Returns:
        float32 (count, n_mels, n_mels): power frames times a matrix are warped ones.
    """
    centres = band_edges(spec)[1:-1]
    bands = np.arange(spec.n_mels)
    matrices = np.zeros((count, spec.n_mels, spec.n_mels), dtype=np.float32)
    for matrix, shift in zip(matrices, np.geomspace(1.0 / factor, factor, count), strict=True):
        source = np.interp(hz_to_mel(centres / shift), hz_to_mel(centres), bands)
        below = np.minimum(source.astype(np.int64), spec.n_mels - 2)
        above = (source - below).astype(np.float32)
        # What would come from beyond the highest band is not known, and stays empty.
        known = centres / shift <= centres[-1]
        matrix[below, bands] = (1.0 - above) * known
        matrix[below + 1, bands] += above * known
    return matrices
