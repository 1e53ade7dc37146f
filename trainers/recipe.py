"""What a recipe is, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.model import Model

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Float32 = npt.NDArray[np.float32]
Options = TypeVar("Options", bound="DataclassInstance")


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A finished model and what is known of it.

    Attributes:
        name: of the recipe; names the files.
        detector: the role it plays.
        model: scores windows and becomes ONNX.
        spec: what it is fed.
        calibration: see :class:`schemas.manifest.Calibration`.
        metrics: measured quality, by name; goes into the manifest.
        report: further figures, for the metrics file: nested dictionaries of numbers and text.
        trained_on: which sound it learned from, for people.
        training_digest: sha256 over it.
        golden: windows to keep in the file, float32 (n, n_frames, width).
        scores: normal and anomalous scores for the pictures, by name: float (n,) each.
    """

    name: str
    detector: str
    model: Model
    spec: FeatureSpec
    calibration: Calibration
    metrics: dict[str, float]
    report: dict[str, Any]
    trained_on: str
    training_digest: str
    golden: Float32
    scores: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)


class Recipe(Protocol):
    """Turns recordings, or none, into a model."""

    name: str
    """Of recipe and detector."""
    summary: str
    """One line for people."""

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """Trains and measures.

        Args:
            data: folder of recordings; recipes say whether they need one.
            seed: the same seed, data and settings give the same model.
            settings: by name, as text; see the recipe's options.

        Raises:
            InputError: the folder cannot be used.
            SettingsError: a setting is unknown or cannot be read.
        """
        ...


def with_settings(defaults: Options, settings: Mapping[str, str]) -> Options:
    """A dataclass of int, float and str options, with some of them set from text.

    Raises:
        SettingsError: there is no such option, or its text is no number above 0 where one is due.
    """
    known = {one.name: getattr(defaults, one.name) for one in fields(defaults)}
    values: dict[str, int | float | str] = {}
    for name, text in settings.items():
        if name not in known:
            raise SettingsError(f"no option {name!r}; there are {', '.join(sorted(known))}")
        kind = type(known[name])
        try:
            values[name] = kind(text)
        except ValueError:
            raise SettingsError(f"option {name!r} is {text!r}, which is no {kind.__name__}") from None
        if isinstance(values[name], int | float) and not 0 < float(values[name]) < float("inf"):
            raise SettingsError(f"option {name!r} is {text!r}; it must be above 0")
    return replace(defaults, **values)
