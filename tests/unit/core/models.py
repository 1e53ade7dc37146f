"""Models for tests of the core: any features, and a simple score."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from processors.core.models.model import Slot
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from schemas.score import ModelRef, Stage

CALIBRATION = Calibration(transfer="relative", threshold=5.0, spread=0.5, n=100, quantiles={"0.5": 0.0})


@dataclass(frozen=True)
class FakeModel:
    """Scores a window by its mean feature times ``scale``.

    Attributes:
        name: in place of the file: models of one name are equal.
        spec: its features.
        scale: see above.
        calibration: as a manifest has it.
    """

    name: str
    spec: FeatureSpec
    scale: float = 1.0
    calibration: Calibration = CALIBRATION

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def ref(self) -> ModelRef:
        return ModelRef(name="fake", version=self.name, sha256=self.sha256)

    def score(self, features: np.ndarray) -> tuple[np.ndarray, None]:
        return features.mean(axis=(1, 2)) * np.float32(self.scale), None


def model_set(specs: Mapping[str, FeatureSpec], stage: Stage = "champion") -> dict[Slot, FakeModel]:
    """A model for each detector, by feature specification."""
    return {Slot(name, stage): FakeModel(name, spec) for name, spec in specs.items()}
