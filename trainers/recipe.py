"""What a recipe is, and what it gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.example import Example
from trainers.model import Model

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from trainers.evaluation.direction import Direction

Float32 = npt.NDArray[np.float32]
Options = TypeVar("Options", bound="DataclassInstance")

PRESET = "preset"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A finished model and what is known of it.

    Attributes:
        name: of the recipe; names the files.
        detector: the role it plays.
        model: scores windows and becomes ONNX; None where there was no sound to learn from, only features of some:
            figures are all that comes of it then.
        spec: what it is fed.
        calibration: see :class:`schemas.manifest.Calibration`.
        metrics: measured quality, by name; goes into the manifest.
        report: further figures, for the metrics file: nested dictionaries of numbers and text.
        trained_on: which sound it learned from, for people.
        training_digest: sha256 over it.
        golden: windows to keep in the file, float32 (n, n_frames, width).
        scores: normal and anomalous scores for the pictures, by name: float (n,) each; ``normal`` is what the others
            are held against.
        threshold: where a decision was made on ``scores``, for the confusion matrix; None: the calibration's, where
            scores are absolute.
        losses: curves by name, a value a step or epoch; ``training`` and ``validation`` share a picture.
        examples: the best and worst windows, to look at.
        direction: what generated anomalies did to the score; None where the recipe does not check.
        pictures: further PNGs, by what they show.
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


Preset = Mapping[str, int | float | str]


def with_settings(
    defaults: Options,
    settings: Mapping[str, str],
    presets: Mapping[str, Preset] | None = None,
    zeros: Collection[str] = (),
) -> Options:
    """A dataclass of int, float and str options, with some of them set from text.

    Args:
        defaults: the options.
        settings: by name, as text; ``preset`` names one of ``presets``, and whatever else is set goes before it.
        presets: options by name of preset; ``small`` takes minutes on two cores.
        zeros: options that may be 0 as well: there is none of what they say.

    Raises:
        SettingsError: there is no such option or preset, or its text is no number above 0 where one is due.
    """
    known = {one.name: getattr(defaults, one.name) for one in fields(defaults)}
    offered = presets or {}
    values: dict[str, int | float | str] = {}
    if PRESET in settings:
        if settings[PRESET] not in offered:
            there_are = f"there are {', '.join(offered)}" if offered else "this recipe has none"
            raise SettingsError(f"no preset {settings[PRESET]!r}; {there_are}")
        values |= offered[settings[PRESET]]
    for name, text in settings.items():
        if name == PRESET:
            continue
        if name not in known:
            raise SettingsError(f"no option {name!r}; there are {', '.join(sorted(known))}")
        kind = type(known[name])
        try:
            values[name] = kind(text)
        except ValueError:
            raise SettingsError(f"option {name!r} is {text!r}, which is no {kind.__name__}") from None
        if isinstance(values[name], int | float) and not 0 < float(values[name]) < float("inf"):
            if name in zeros and values[name] == 0:
                continue
            least = "0 or above" if name in zeros else "above 0"
            raise SettingsError(f"option {name!r} is {text!r}; it must be {least}")
    return replace(defaults, **values)
