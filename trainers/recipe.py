"""The interface of a recipe, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.example import Example
from trainers.model import Model

if TYPE_CHECKING:
    from trainers.evaluation.direction import Direction

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained model and its figures.

    Attributes:
        name: of the recipe; names the files.
        detector: the role it plays.
        model: scores windows and is exported as ONNX; None where only features and no sound were given: then figures
            are the only result.
        spec: its input.
        calibration: see :class:`schemas.manifest.Calibration`.
        metrics: measured quality, by name; stored in the manifest.
        report: further figures, for the metrics file: nested dictionaries of numbers and text.
        trained_on: the training sound, for people.
        training_digest: sha256 over it.
        golden: windows stored in the model file, float32 (n, n_frames, width).
        scores: normal and anomalous scores for the pictures, by name: float (n,) each; the others are compared with
            ``normal``.
        threshold: applied to ``scores`` for the confusion matrix; None: the calibration's, where scores are absolute.
        losses: curves by name, one value a step or epoch; ``training`` and ``validation`` share a picture.
        examples: the best and worst windows, for the pictures.
        direction: effect of generated anomalies on the score; None where the recipe does not check it.
        pictures: further PNGs, by name.
    """

    name: str
    detector: str
    model: Model | None
    spec: FeatureSpec
    calibration: Calibration
    metrics: dict[str, float]
    report: dict[str, Any]
    trained_on: str
    training_digest: str
    golden: Float32
    scores: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    threshold: float | None = None
    losses: dict[str, list[float]] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    direction: Direction | None = None
    pictures: dict[str, bytes] = field(default_factory=dict)


class Recipe(Protocol):
    """Trains a model, with or without recordings."""

    name: str
    """Of the recipe; names the files of its models."""
    summary: str
    """One line for people."""

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """Trains and measures a model.

        Args:
            data: folder of recordings; some recipes need none.
            seed: the same seed, data and settings give the same model.
            settings: by name, as text; see the recipe's subclass of :class:`trainers.options.RecipeOptions`.

        Raises:
            InputError: the folder cannot be used.
            SettingsError: a setting is unknown or its value not allowed.
        """
        ...
