"""The transform a specification asks for: what is computed of each frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from processors.core.audio.mel import LogMel
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]


def transform_of(spec: FeatureSpec) -> Callable[[Float32], Float32]:
    """Frames float32 (n, n_fft) in, float32 (n, frame_width) out."""
    return LogMel(spec) if spec.transform == "log_mel" else np.ascontiguousarray
