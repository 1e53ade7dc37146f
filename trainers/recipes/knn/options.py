"""Options of the knn recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator

from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from schemas.identity import is_name
from trainers.options import PositiveInt, Preset, RecipeOptions


class KnnOptions(RecipeOptions):
    """Options.

    Attributes:
        window: seconds a score covers.
        mels: mel bands.
        normal: the folder below the data folder that holds normal sound, each other folder something else. Without it
            the layout of the set (:mod:`trainers.data.loaders`) says what is normal, and in any other folder all is.
        detector: the role the model plays.
    """

    # For recordings of a few seconds, and half a minute of them.
    presets: ClassVar[Mapping[str, Preset]] = {"small": {"window": 3, "mels": 64}}

    window: PositiveInt = 10
    mels: PositiveInt = 128
    normal: str = "normal"
    detector: str = "machine"

    @field_validator("detector")
    @classmethod
    def _check_detector(cls, name: str) -> str:
        if not is_name(name):
            raise ValueError("it must be a name of letters, digits, '.', '_' and '-'")
        return name


def spec_of(options: KnnOptions) -> FeatureSpec:
    """Rows of one second; a window every second.

    Frames of 128 ms tell the lines of a motor apart better than those of 64 ms do, and fewer of them are needed.

    Raises:
        SettingsError: there are no such features.
    """
    try:
        return FeatureSpec(
            n_fft=2_048,
            win_length=2_048,
            hop=800,
            pool=20,
            n_mels=options.mels,
            n_frames=options.window,
            window_hop=1,
        )
    except ValueError as error:
        raise SettingsError(
            f"window {options.window} and mels {options.mels} give no valid features: {error}"
        ) from None
