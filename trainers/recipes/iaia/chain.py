"""The clip-statistics recipe's chain: scaling, denoisers, principal components, and a detector of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from trainers.export.estimator import Estimator
from trainers.features.mfcc import N_MFCC, WIDTH
from trainers.recipes.iaia.network import DenoisingAutoencoder
from trainers.recipes.iaia.velicer import components_by_map

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

DetectorName = Literal["if", "ocsvm", "lof"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)
BLOCKS = (slice(0, N_MFCC), slice(N_MFCC, WIDTH))

_LOF_NEIGHBOURS = 20
_SVM_NU = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Denoiser:
    """Scaling and denoising autoencoders that all machines of a type share.

    Attributes:
        low, span: float32 (136,): a feature becomes (x - low) / span.
        nets: of the MFCC means, and of the eight others.
        losses: of their training, one value an epoch, by name.
    """

    low: Float32
    span: Float32
    nets: tuple[DenoisingAutoencoder, DenoisingAutoencoder]
    losses: dict[str, list[float]]

    def scaled(self, rows: Float32) -> Float32:
        """The denoisers' input, float32 (n, 136), mostly in [0, 1]."""
        return ((rows - self.low) / self.span).astype(np.float32)

    def __call__(self, rows: Float32) -> Float32:
        """Rows scaled and denoised, float32 (n, 136)."""
        scaled = self.scaled(rows)
        with torch.no_grad():
            parts = [
                net(torch.from_numpy(np.ascontiguousarray(scaled[:, block]))).numpy()
                for net, block in zip(self.nets, BLOCKS, strict=True)
            ]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Principal components of both blocks as one affine map; Velicer's rule gives their numbers.

    Attributes:
        mean: float32 (136,).
        components: float32 (136, k).
        sizes: components of each block; they sum to k.
    """

    mean: Float32
    components: Float32
    sizes: tuple[int, int]

    def __call__(self, denoised: Float32) -> Float32:
        """Denoised rows float32 (n, 136) projected, float32 (n, k)."""
        projected: Float32 = np.matmul(denoised - self.mean, self.components, dtype=np.float32)
        return projected


def fit_projection(denoised: Float32) -> Projection:
    """Fits components to denoised rows, float32 (n, 136)."""
    mean, parts, sizes = np.zeros(WIDTH, np.float32), [], []
    for block in BLOCKS:
        rows = denoised[:, block]
        count = min(components_by_map(rows), len(rows) - 1)
        pca = PCA(n_components=count).fit(rows)
        mean[block] = pca.mean_
        part = np.zeros((WIDTH, count), np.float32)
        part[block] = pca.components_.T
        parts.append(part)
        sizes.append(count)
    return Projection(mean, np.concatenate(parts, axis=1), (sizes[0], sizes[1]))


def fit_detector(name: DetectorName, rows: Float32, seed: int) -> Estimator:
    """A detector with IAIA2's parameters.

    Args:
        name: of the detector.
        rows: float32 (n, k).
        seed: of the forest.
    """
    detectors: dict[DetectorName, Any] = {
        "if": lambda: IsolationForest(random_state=seed),
        "ocsvm": lambda: OneClassSVM(gamma="scale", nu=_SVM_NU),
        "lof": lambda: LocalOutlierFactor(n_neighbors=min(_LOF_NEIGHBOURS, len(rows) // 2), novelty=True),
    }
    return cast("Estimator", detectors[name]().fit(rows))
