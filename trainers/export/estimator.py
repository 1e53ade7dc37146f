"""A one-class estimator of scikit-learn, and its scores."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


class Estimator(Protocol):
    """What scikit-learn's three have in common."""

    def decision_function(self, rows: npt.ArrayLike, /) -> Float64:
        """Higher is more normal: the opposite of a score."""
        ...


def scores(estimator: Estimator, rows: Float32) -> Float64:
    """Higher is more anomalous, float64 (n,); scikit-learn has it the other way round."""
    return -np.asarray(estimator.decision_function(rows), dtype=np.float64)
