"""The model interface, and the set of models a device runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from schemas.score import ModelRef, Stage

Float32 = npt.NDArray[np.float32]


class Slot(NamedTuple):
    """Where a model runs on a device.

    Attributes:
        detector: name of the detector.
        stage: ``champion`` or ``shadow``.
    """

    detector: str
    stage: Stage


class ScoringModel(Protocol):
    """A model that scores windows; two with the same digest are equal."""

    @property
    def ref(self) -> ModelRef:
        """The reference that scores carry."""
        ...

    @property
    def spec(self) -> FeatureSpec:
        """The features it takes."""
        ...

    @property
    def calibration(self) -> Calibration:
        """Its scores of normal sound."""
        ...

    def score(self, features: Float32) -> tuple[Float32, Float32 | None]:
        """Scores float32 (n,) of float32 (n, n_frames, width), and each band's contribution or None."""
        ...


ModelSet = Mapping[Slot, ScoringModel]
