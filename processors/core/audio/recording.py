"""Features of a whole recording: for trainers, for scoring files, and as the reference of the streaming path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.audio.feature_buffer import pool_frames
from processors.core.audio.mel import normalise_level
from processors.core.audio.resample import Resampler
from processors.core.audio.transform import transform_of
from schemas.chunk import FULL_SCALE
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]


def to_mono(samples: npt.NDArray[np.int16] | Float32) -> Float32:
    """Mean over channels.

    Args:
        samples: int16 PCM or float in [-1, 1], shape (n, channels) or (n,).

    Returns:
        float32 (n,), in [-1, 1].
    """
    mono = samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)
    scale = np.float32(1.0 / FULL_SCALE) if samples.dtype == np.int16 else np.float32(1.0)
    return mono.astype(np.float32) * scale


def rows_of(samples: npt.NDArray[np.int16] | Float32, sample_rate: int, spec: FeatureSpec) -> Float32:
    """All rows of a recording, before level normalisation.

    Args:
        samples: int16 PCM or float in [-1, 1], shape (n, channels) or (n,).
        sample_rate: Hz.
        spec: the feature specification.

    Returns:
        float32 (rows, width); row r starts at sample r * pool * hop of the resampled audio.
    """
    mono = to_mono(samples)
    resampler = Resampler(sample_rate, spec.sample_rate)
    resampled = resampler(mono, 0, 0, resampler.outputs_until(len(mono)))
    if len(resampled) < spec.n_fft:
        return np.empty((0, spec.width), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(resampled, spec.n_fft)[:: spec.hop]
    return pool_frames(transform_of(spec)(frames), spec.pool)


def windows_of(rows: Float32, spec: FeatureSpec) -> Float32:
    """All windows on the grid, level-normalised.

    Args:
        rows: float32 (rows, width) as from :func:`rows_of`.
        spec: the feature specification.

    Returns:
        float32 (n, n_frames, width); window w starts at row w * window_hop.
    """
    if len(rows) < spec.n_frames:
        return np.empty((0, spec.n_frames, spec.width), dtype=np.float32)
    views = np.lib.stride_tricks.sliding_window_view(rows, spec.n_frames, axis=0)[:: spec.window_hop]
    return normalise_level(views.transpose(0, 2, 1), spec)
