"""The interface of scikit-learn's one-class estimators, and their scores."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


class Estimator(Protocol):
    """A fitted one-class estimator of scikit-learn."""

    def decision_function(self, rows: npt.ArrayLike, /) -> Float64:
        """Higher is more normal, the opposite of a score."""
        ...


def scores(estimator: Estimator, rows: Float32) -> Float64:
    """Anomaly scores, float64 (n,), higher is more anomalous; scikit-learn's sign is reversed."""
    return -np.asarray(estimator.decision_function(rows), dtype=np.float64)
