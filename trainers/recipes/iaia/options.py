"""Options of the iaia recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator

from trainers.options import PositiveFloat, PositiveInt, Preset, RecipeOptions
from trainers.recipes.iaia.chain import DetectorName
from trainers.recipes.iaia.protocol import Protocol


class IaiaOptions(RecipeOptions):
    """Options.

    Attributes:
        machine: type of machine; empty selects the only one in the data.
        protocol: ``clean`` or ``source``, see :func:`trainers.recipes.iaia.protocol.split_cells`.
        seeds: runs to measure with, from the seed given on; the model is the first one's.
        detector: of the model: ``if``, ``ocsvm`` or ``lof``; all three are measured.
        unit: the machine the model is for; empty selects the first.
        snr_db: the SNR it is trained at, as text; empty selects the highest.
        noise: of the denoisers, in standard deviations of each feature.
        epochs, batch, rate: of the denoisers; IAIA2 uses 300, 128 and 1e-5 for sliders.
        least_steps: of each denoiser with ``clean``: few clips get that many more epochs. Hardly trained ones give the
            same for every clip, and the differences that remain are rounding.
    """

    presets: ClassVar[Mapping[str, Preset]] = {"small": {"seeds": 1}}

    machine: str = ""
    protocol: Protocol = "clean"
    seeds: PositiveInt = 5
    detector: DetectorName = "lof"
    unit: str = ""
    snr_db: str = ""
    noise: PositiveFloat = 0.7
    epochs: PositiveInt = 100
    batch: PositiveInt = 64
    rate: PositiveFloat = 1e-4
    least_steps: PositiveInt = 1_800

    @field_validator("snr_db")
    @classmethod
    def _check_snr(cls, text: str) -> str:
        try:
            float(text or "0")
        except ValueError:
            raise ValueError("it must be a number of dB") from None
        return text
