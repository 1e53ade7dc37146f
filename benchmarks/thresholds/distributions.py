"""Five score distributions, one score a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.stats import gamma, lognorm, t

Scores = npt.NDArray[np.float64]

DISTRIBUTIONS = ("gaussian", "gamma", "lognormal", "student-t4", "ar1-lognormal")
SECOND = 1_000_000_000
DAY = 86_400

_PHI = 0.9
# Exact standard deviation of a score, of N(0, 1), Gamma(4, 1), exp N(0, 1), t(4), exp N(0, 1).
SD = {
    "gaussian": 1.0,
    "gamma": float(gamma(4).std()),
    "lognormal": float(lognorm(1.0).std()),
    "student-t4": float(t(4).std()),
    "ar1-lognormal": float(lognorm(1.0).std()),
}


def days(distribution: str, seed: tuple[int, ...], n: int) -> Iterator[Scores]:
    """``n`` days of a device's scores, float64 (86400,) each; days of one seed are consecutive.

    ``ar1-lognormal`` is exp(z), z an AR(1) process with coefficient 0.9 and standard normal values.
    """
    rng = np.random.default_rng(seed)
    z = rng.normal()
    for _ in range(n):
        if distribution == "gaussian":
            yield rng.standard_normal(DAY)
        elif distribution == "gamma":
            yield rng.standard_gamma(4.0, DAY)
        elif distribution == "lognormal":
            yield np.exp(rng.standard_normal(DAY))
        elif distribution == "student-t4":
            yield rng.standard_t(4.0, DAY)
        else:
            steps = np.sqrt(1.0 - _PHI * _PHI) * rng.standard_normal(DAY)
            path, _ = lfilter([1.0], [1.0, -_PHI], steps, zi=np.array([_PHI * z]))
            z = float(path[-1])
            yield np.exp(path)
