"""A model_set: which models a device runs, and in which slots."""

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
    """A place for one model on a device.

    Attributes:
        detector: the role.
        stage: ``champion`` or ``shadow``.
    """

    detector: str
    stage: Stage


class ScoringModel(Protocol):
    """A model that scores windows; two with the same digest are the same."""

    @property
    def ref(self) -> ModelRef:
        """How scores name it."""
        ...

    @property
    def spec(self) -> FeatureSpec:
        """What it is fed."""
        ...

    @property
    def calibration(self) -> Calibration:
        """How it scores normal sound."""
        ...

    def score(self, features: Float32) -> tuple[Float32, Float32 | None]:
        """Scores float32 (n,) of float32 (n, n_frames, width), and how much each band adds, where it says so."""
        ...


ModelSet = Mapping[Slot, ScoringModel]
