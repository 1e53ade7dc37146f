"""Random draws by index, with the same cost for every index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_UNIT = 2.0**-53


def uniforms(seed: int, index: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Uniform draws in [0, 1), one for each index, float64 of ``index``'s shape.

    SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of seed and index.
    """
    return (_hashes(seed, index) >> np.uint64(11)).astype(np.float64) * _UNIT


def seed_of(seed: int, index: int) -> int:
    """The seed of a seed's ``index``-th child, 0 <= seed < 2**62."""
    return int(_hashes(seed, np.array([index], dtype=np.int64))[0] >> np.uint64(2))


def _hashes(seed: int, index: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    state = _mixed(np.array([seed], dtype=np.uint64) * _GOLDEN + _GOLDEN)
    return _mixed(state + (index.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))
