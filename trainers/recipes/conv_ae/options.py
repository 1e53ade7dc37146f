"""Options of the conv-ae recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from trainers.options import PositiveInt, Preset
from trainers.recipes.one_class.options import OneClassOptions

Features = Literal["raw", "mel", "log-mel"]
Form = Literal["plain", "batchnorm", "vae", "vae-1d", "dense"]
Mode = Literal["correct", "compat"]
Seconds = Literal[1, 2]


class ConvAeOptions(OneClassOptions):
    """Options beside those of :class:`trainers.recipes.one_class.options.OneClassOptions`.

    Attributes:
        features: ``raw`` (with the form ``dense`` alone), ``mel`` or ``log-mel``.
        form: of the network: ``plain``, as the system's README has it; ``batchnorm``, its later one; ``vae``,
            ``vae-1d``, ``dense``.
        mode: ``correct`` features, or ``compat``: those it computed, see
            :class:`trainers.recipes.conv_ae.features.CompatFeatures`.
        seconds: of a window, 1 or 2.
        hidden: widths of the dense form, separated by commas.
        code: latent numbers of the form ``vae``.
        weights: a published state dict to use instead of training, for the form ``batchnorm``.
    """

    presets: ClassVar[Mapping[str, Preset]] = {
        "small": {"epochs": 8, "batch": 32, "least_steps": 300, "hidden": "128,64", "code": 32}
    }

    features: Features = "log-mel"
    form: Form = "batchnorm"
    mode: Mode = "correct"
    seconds: Seconds = 1
    hidden: str = "1024,512"
    code: PositiveInt = 512

    @property
    def widths(self) -> list[int]:
        """``hidden`` as numbers."""
        return [int(width) for width in self.hidden.split(",")]

    @property
    def trains(self) -> bool:
        """Published weights are used as they are."""
        return not self.weights

    @field_validator("hidden")
    @classmethod
    def _check_hidden(cls, text: str) -> str:
        if not all(width.strip().isdecimal() and int(width) > 0 for width in text.split(",")):
            raise ValueError("give widths such as 1024,512")
        return text

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if (self.features == "raw") != (self.form == "dense"):
            raise ValueError(f"features {self.features!r} with the form {self.form!r}: raw and dense go together")
        if self.weights and (self.form, self.features) != ("batchnorm", "log-mel"):
            raise ValueError(f"published weights {self.weights!r} are of the form batchnorm on log-mel features")
        return self
