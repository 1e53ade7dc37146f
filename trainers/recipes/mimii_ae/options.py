"""Options of the mimii-ae recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from trainers.data.loaders.clip import ChannelRule
from trainers.options import PositiveInt, Preset
from trainers.recipes.one_class.options import OneClassOptions


class MimiiAeOptions(OneClassOptions):
    """Options beside those of :class:`trainers.recipes.one_class.options.OneClassOptions`.

    Attributes:
        channel: the baseline uses the ``first``, a worker the ``mean``.
        protocol: ``parts`` splits the set by source recording; ``baseline`` tests, for each machine at each SNR, on all
            abnormal clips and as many normal ones, the first.
        patience: the baseline does not stop early.
        weights: a published Keras file to start from.
        tuning: ``yes`` trains, starting from ``weights`` where they are given; ``no`` uses these as they are.
    """

    presets: ClassVar[Mapping[str, Preset]] = {"small": {"epochs": 20, "batch": 128, "least_steps": 500}}

    channel: ChannelRule = "first"
    batch: PositiveInt = 512
    patience: PositiveInt = 1_000
    protocol: Literal["parts", "baseline"] = "parts"
    tuning: Literal["yes", "no"] = "yes"

    @property
    def trains(self) -> bool:
        """Whether the network is trained at all."""
        return self.tuning == "yes"

    @model_validator(mode="after")
    def _check_tuning(self) -> Self:
        if self.tuning == "no" and not self.weights:
            raise ValueError("option 'tuning' is 'no' and there are no weights: name a file with weights=PATH")
        return self
