"""Augmentation of log-mel windows: frequency responses, noise floors, masks, band limits, reverberation, warps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.audio.mel import band_edges, hz_to_mel
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]

# Log-mel level of 16-bit rounding: white noise of 1/12 step^2 in a Hann frame of 1,024 and a unit-area band.
_ROUNDING_DB = -87.0
_KNOTS = 7


def to_power(log_mel: Float32) -> Float32:
    """10 ** (dB / 10)."""
    power: Float32 = np.power(np.float32(10.0), log_mel * np.float32(0.1))
    return power


def to_db(power: Float32) -> Float32:
    """10 log10, with the floor of the serving features."""
    return np.float32(10.0) * np.log10(np.maximum(power, np.float32(1e-10)))


def frequency_responses(rng: np.random.Generator, count: int, n_mels: int, sd_db: float) -> Float32:
    """Random smooth frequency responses, as of microphones and mountings, float32 (count, 1, n_mels), dB."""
    knots = rng.normal(0.0, sd_db, (count, _KNOTS))
    at = np.linspace(0.0, _KNOTS - 1.0, n_mels)
    index = np.minimum(at.astype(np.int64), _KNOTS - 2)
    blend = 0.5 - 0.5 * np.cos(np.pi * (at - index))
    curves = knots[:, index] * (1.0 - blend) + knots[:, index + 1] * blend
    return curves[:, None, :].astype(np.float32)


def noise_floor(rng: np.random.Generator, count: int, n_mels: int, gain_db: tuple[float, float]) -> Float32:
    """Noise floors after level normalisation: noise that does not follow the gain.

    Args:
        rng: draws.
        count: windows.
        n_mels: bands.
        gain_db: lowest and highest gain.

    Returns:
        float32 (count, 1, n_mels), power of rounding and sensor noise relative to sound at its original level.
    """
    gain = rng.uniform(*gain_db, (count, 1, 1))
    sensor = rng.uniform(0.0, 15.0, (count, 1, 1))
    slope = rng.uniform(-10.0, 10.0, (count, 1, 1)) * np.linspace(-0.5, 0.5, n_mels)
    return np.power(10.0, (_ROUNDING_DB + sensor + slope - gain) / 10.0).astype(np.float32)


def spec_augment(rng: np.random.Generator, windows: Float32, share: float) -> Float32:
    """SpecAugment (Park et al., Interspeech 2019): one band and one interval of time set to the window's mean.

    Args:
        rng: draws.
        windows: float32 (count, n_frames, n_mels); changed in place.
        share: of windows that are masked.
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


def band_limits(rng: np.random.Generator, count: int, n_mels: int, share: float) -> Float32:
    """Attenuation of high or low bands, as of telephones and cheap microphones, float32 (count, 1, n_mels), dB.

    Args:
        rng: draws.
        count: windows.
        n_mels: bands.
        share: of windows with attenuated high bands, and of windows with attenuated low bands.
    """
    bands = np.arange(n_mels)
    high = rng.integers(round(0.56 * n_mels), n_mels + 1, (count, 1, 1))
    low = rng.integers(0, round(0.16 * n_mels) + 1, (count, 1, 1))
    without_high = (rng.random((count, 1, 1)) < share) & (bands >= high)
    without_low = (rng.random((count, 1, 1)) < share) & (bands < low)
    high_db, low_db = rng.uniform(-70.0, -15.0, (count, 1, 1)), rng.uniform(-40.0, -5.0, (count, 1, 1))
    return (np.where(without_high, high_db, 0.0) + np.where(without_low, low_db, 0.0)).astype(np.float32)


def add_reverb(rng: np.random.Generator, power: Float32, lead: int, frame_seconds: float, share: float) -> Float32:
    """Adds reverberation: impulse responses with exponentially decaying energy (Polack 1988), 0.15 to 1.2 s.

    Powers add, since a room's tail is incoherent with the direct sound.

    Args:
        rng: draws.
        power: float32 (count, lead + n_frames, n_mels).
        lead: frames in front that contribute reverberation but are not returned.
        frame_seconds: from one frame to the next.
        share: of windows that get reverberation.

    Returns:
        float32 (count, n_frames, n_mels).
    """
    out = power[:, lead:].copy()
    inside = np.flatnonzero(rng.random(len(power)) < share)
    seconds = np.exp(rng.uniform(np.log(0.15), np.log(1.2), (len(inside), 1, 1)))
    decay = np.power(10.0, -6.0 * frame_seconds / seconds)
    # Reverberant to direct energy, 0.2 to 2: near and far sources.
    weight = rng.uniform(0.2, 2.0, (len(inside), 1, 1)) * (1.0 - decay) / decay
    tail = np.zeros_like(out[inside])
    for back in range(1, lead + 1):
        weight = weight * decay
        tail += weight.astype(np.float32) * power[inside, lead - back : power.shape[1] - back]
    out[inside] += tail
    return out


def warp_matrices(spec: FeatureSpec, factor: float, count: int) -> Float32:
    """Matrices that warp a spectrum along frequency, as in VTLP (Jaitly and Hinton, ICML 2013).

    Args:
        spec: of the bands.
        factor: highest shift; the lowest is its inverse.
        count: shifts, evenly spaced on a logarithmic scale.

    Returns:
        float32 (count, n_mels, n_mels): power frames times a matrix give warped frames.
    """
    centres = band_edges(spec)[1:-1]
    bands = np.arange(spec.n_mels)
    matrices = np.zeros((count, spec.n_mels, spec.n_mels), dtype=np.float32)
    for matrix, shift in zip(matrices, np.geomspace(1.0 / factor, factor, count), strict=True):
        source = np.interp(hz_to_mel(centres / shift), hz_to_mel(centres), bands)
        below = np.minimum(source.astype(np.int64), spec.n_mels - 2)
        above = (source - below).astype(np.float32)
        # Energy from beyond the highest band is unknown and stays zero.
        known = centres / shift <= centres[-1]
        matrix[below, bands] = (1.0 - above) * known
        matrix[below + 1, bands] += above * known
    return matrices
