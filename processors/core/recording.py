"""A whole recording through the serving engine: for trainers, for scoring files, and as the reference of the stream."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.mel import LogMel, normalise_level
from processors.core.resample import Resampler
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


def log_mel_frames(samples: npt.NDArray[np.int16] | Float32, sample_rate: int, spec: FeatureSpec) -> Float32:
    """All log-mel frames of a recording, before level normalisation.

    Args:
        samples: int16 PCM or float in [-1, 1], shape (n, channels) or (n,).
        sample_rate: Hz.
        spec: the feature specification.

    Returns:
        float32 (frames, n_mels), dB; frame f starts at sample f * hop of the resampled sound.
    """
    mono = to_mono(samples)
    resampler = Resampler(sample_rate, spec.sample_rate)
    resampled = resampler(mono, 0, 0, resampler.outputs_until(len(mono)))
    if len(resampled) < spec.n_fft:
        return np.empty((0, spec.n_mels), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(resampled, spec.n_fft)[:: spec.hop]
    return LogMel(spec)(frames)


def windows_of(frames: Float32, spec: FeatureSpec) -> Float32:
    """All windows on the grid, level-normalised.

    Args:
        frames: float32 (frames, n_mels) as from :func:`log_mel_frames`.
        spec: the feature specification.

    Returns:
        float32 (n, n_frames, n_mels); window w starts at frame w * window_hop.
    """
    if len(frames) < spec.n_frames:
        return np.empty((0, spec.n_frames, spec.n_mels), dtype=np.float32)
    views = np.lib.stride_tricks.sliding_window_view(frames, spec.n_frames, axis=0)[:: spec.window_hop]
    return normalise_level(views.transpose(0, 2, 1), spec)
