"""Windows of sound at its extremes, which golden vectors do not hold and every device sends one day."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from processors.core.audio.mel import normalise_level
from processors.core.audio.recording import rows_of
from schemas.chunk import FULL_SCALE
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]

_LOUDEST = FULL_SCALE - 1
# Longer windows are filled by repeating the rows of so much sound.
_MAX_SAMPLES = 1 << 20
_DENORMAL = np.float32(1e-40)
_SEED = 1


def extreme_windows(spec: FeatureSpec) -> Iterator[tuple[str, Float32]]:
    """Windows, each float32 (1, n_frames, width) as a worker would feed it, with what it holds, for people.

    Args:
        spec: of the model.
    """
    n = min(spec.window_samples, max(_MAX_SAMPLES, spec.n_fft * spec.pool))
    for name, samples in _sounds(n):
        rows = rows_of(samples, spec.sample_rate, spec)
        if len(rows):
            yield name, normalise_level(np.resize(rows, (1, spec.n_frames, spec.width)), spec)
    shape = (1, spec.n_frames, spec.width)
    yield "zeros", np.zeros(shape, np.float32)
    yield "denormal numbers", np.full(shape, _DENORMAL)


def _sounds(n: int) -> Iterator[tuple[str, npt.NDArray[np.int16]]]:
    """Sound of ``n`` samples, int16."""
    silence = np.zeros(n, np.int16)
    yield "silence", silence
    for name, height in (("one sample of the smallest step", 1), ("one sample of full scale", _LOUDEST)):
        impulse = silence.copy()
        impulse[n // 2] = height
        yield name, impulse
    yield "a constant at full scale", np.full(n, _LOUDEST, np.int16)
    sign = np.where(np.arange(n) % 2, 1, -1)
    yield "the highest frequency at full scale", (sign * _LOUDEST).astype(np.int16)
    yield "the smallest steps", sign.astype(np.int16)
    noise = np.random.default_rng(_SEED).normal(0.0, 4.0 * FULL_SCALE, n)
    yield "clipped noise", np.clip(noise, -FULL_SCALE, _LOUDEST).astype(np.int16)
    half = silence.copy()
    half[n // 2 :] = np.clip(noise[n // 2 :], -FULL_SCALE, _LOUDEST)
    yield "silence, then clipped noise", half
