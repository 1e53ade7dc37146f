"""The per-frame transform of a feature specification."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from processors.core.audio.mel import LogMel
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]


def transform_of(spec: FeatureSpec) -> Callable[[Float32], Float32]:
    """The transform of frames float32 (n, n_fft) to float32 (n, frame_width)."""
    return LogMel(spec) if spec.transform == "log_mel" else np.ascontiguousarray
