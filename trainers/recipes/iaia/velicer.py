"""The number of principal components to keep, by Velicer's minimum average partial (MAP)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MAX_COMPONENTS = 19
_MIN_VARIANCE = 1e-12


def components_by_map(rows: npt.ArrayLike, max_components: int = _MAX_COMPONENTS) -> int:
    """The number of components that minimises the mean squared partial correlation left between columns.

    W. F. Velicer, Determining the number of components from the matrix of partial correlations, Psychometrika 41,
    1976.

    Args:
        rows: (n, d), n >= 2, d >= 2.
        max_components: the highest number tried; at least 1; no more than d - 1 are tried.

    Returns:
        1 to ``max_components``.
    """
    x = np.asarray(rows, dtype=np.float64)
    deviation = x.std(axis=0)
    # A constant column correlates with nothing.
    z = (x - x.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)
    correlation = z.T @ z / len(z)
    values, vectors = np.linalg.eigh(correlation)
    averages = []
    for count in range(1, min(max_components, x.shape[1] - 1) + 1):
        loadings = vectors[:, -count:] * np.sqrt(np.maximum(values[-count:], 0.0))
        partial = correlation - loadings @ loadings.T
        scale = np.sqrt(np.maximum(np.diag(partial), _MIN_VARIANCE))
        partial = partial / scale[:, None] / scale[None, :]
        np.fill_diagonal(partial, 0.0)
        averages.append(float(np.mean(partial**2)))
    return int(np.argmin(averages)) + 1
