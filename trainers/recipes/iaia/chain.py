"""The clip-statistics recipe's chain: scaling, denoisers, principal components, and a detector of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from schemas.errors import SettingsError
from trainers.export.estimator import Estimator
from trainers.features.mfcc import N_MFCC, WIDTH
from trainers.recipes.iaia.network import DenoisingAutoencoder
from trainers.recipes.iaia.velicer import components_by_map

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

DETECTORS = ("if", "ocsvm", "lof")
BLOCKS = (slice(0, N_MFCC), slice(N_MFCC, WIDTH))

_NEIGHBOURS = 20
_NU = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Denoiser:
    """What all machines of a type share.

    Attributes:
        low, span: float32 (136,): a feature becomes (x - low) / span.
        nets: of the MFCC means, and of the eight others.
        losses: of their training, an epoch each, by name.
    """

    low: Float32
    span: Float32
    nets: tuple[DenoisingAutoencoder, DenoisingAutoencoder]
    losses: dict[str, list[float]]

    def scaled(self, rows: Float32) -> Float32:
        """What the denoisers are shown, float32 (n, 136), mostly in [0, 1]."""
        return ((rows - self.low) / self.span).astype(np.float32)

    def __call__(self, rows: Float32) -> Float32:
        """Rows scaled and rebuilt, float32 (n, 136)."""
        scaled = self.scaled(rows)
        with torch.no_grad():
            parts = [
                net(torch.from_numpy(np.ascontiguousarray(scaled[:, block]))).numpy()
                for net, block in zip(self.nets, BLOCKS, strict=True)
            ]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Principal components of both blocks, their numbers by Velicer's rule, as one affine map.

    Attributes:
        mean: float32 (136,).
        components: float32 (136, k).
        sizes: components of each block; they sum to k.
    """

    mean: Float32
    components: Float32
    sizes: tuple[int, int]

    def __call__(self, rebuilt: Float32) -> Float32:
        """float32 (n, k)."""
        projected: Float32 = np.matmul(rebuilt - self.mean, self.components, dtype=np.float32)
        return projected


def project(rebuilt: Float32) -> Projection:
    """Learns components of rebuilt rows, float32 (n, 136)."""
    mean, parts, sizes = np.zeros(WIDTH, np.float32), [], []
    for block in BLOCKS:
        rows = rebuilt[:, block]
        count = min(components_by_map(rows), len(rows) - 1)
        pca = PCA(n_components=count).fit(rows)
        mean[block] = pca.mean_
        part = np.zeros((WIDTH, count), np.float32)
        part[block] = pca.components_.T
        parts.append(part)
        sizes.append(count)
    return Projection(mean, np.concatenate(parts, axis=1), (sizes[0], sizes[1]))


def fit_detector(name: str, rows: Float32, seed: int) -> Estimator:
    """One of :data:`DETECTORS`, as IAIA2 sets it.

    Args:
        name: which.
        rows: float32 (n, k).
        seed: of the forest.

    Raises:
        SettingsError: there is no such detector.
    """
    made: dict[str, Any] = {
        "if": lambda: IsolationForest(random_state=seed),
        "ocsvm": lambda: OneClassSVM(gamma="scale", nu=_NU),
        "lof": lambda: LocalOutlierFactor(n_neighbors=min(_NEIGHBOURS, len(rows) // 2), novelty=True),
    }
    if name not in made:
        raise SettingsError(f"no detector {name!r}; there are {', '.join(made)}")
    return cast("Estimator", made[name]().fit(rows))
