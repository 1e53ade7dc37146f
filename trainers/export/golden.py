"""Golden windows, of synthetic sound, since a model file must not contain recordings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.features import FeatureSpec
from synthesis.draws import seed_of
from synthesis.machine import random_machine
from synthesis.sound import SAMPLE_RATE
from trainers.export.onnx_export import GOLDEN_WINDOWS

Float32 = npt.NDArray[np.float32]


def golden_windows(spec: FeatureSpec, seed: int, count: int = GOLDEN_WINDOWS) -> Float32:
    """One window each of ``count`` synthetic machines, float32 (count, n_frames, width)."""
    windows = []
    for number in range(count):
        # One more frame at either rate, and the resampler's delay.
        n = int(np.ceil((spec.window_samples + spec.n_fft) * SAMPLE_RATE / spec.sample_rate)) + SAMPLE_RATE // 10
        samples = np.clip(random_machine(seed_of(seed, number)).sound.at(0, n), -1.0, 1.0).astype(np.float32)
        windows.append(windows_of(rows_of(samples, SAMPLE_RATE, spec), spec)[:1])
    return np.concatenate(windows)
