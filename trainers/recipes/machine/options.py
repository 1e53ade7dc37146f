"""Options of the machine recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from trainers.options import PositiveFloat, PositiveInt, Preset, RecipeOptions


class MachineOptions(RecipeOptions):
    """Options.

    Attributes:
        machines: synthetic machines to learn from.
        seconds: of sound of each, healthy and with each of two faults; at least 2.
        held_out: synthetic machines to measure with, each with all five faults.
        held_out_seconds: of sound of each of them; at least 4.
        steps, batch, rate: of the training run.
        faulty_share: of the input windows that hold a fault, to be reconstructed without it; in (0, 1].
        width, code, smooth: see :class:`trainers.recipes.machine.network.MachineNet`.
    """

    presets: ClassVar[Mapping[str, Preset]] = {
        "small": {"machines": 36, "seconds": 4.0, "held_out": 6, "held_out_seconds": 8.0, "steps": 200, "batch": 16}
    }

    machines: PositiveInt = 360
    seconds: Annotated[float, Field(ge=2.0, allow_inf_nan=False)] = 8.0
    held_out: PositiveInt = 24
    held_out_seconds: Annotated[float, Field(ge=4.0, allow_inf_nan=False)] = 20.0
    steps: PositiveInt = 1_400
    batch: PositiveInt = 48
    rate: PositiveFloat = 0.003
    faulty_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    width: PositiveInt = 16
    code: PositiveInt = 20
    smooth: PositiveInt = 8
