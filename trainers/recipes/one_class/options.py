"""Options that the recipes on normal clips alone share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainers.data.loaders.clip import ChannelRule
from trainers.data.loaders.layout import AUTO
from trainers.options import PositiveFloat, PositiveInt, RecipeOptions
from trainers.training.epochs import Schedule


class OneClassOptions(RecipeOptions):
    """See the recipes for defaults of their own.

    Attributes:
        layout, machine, unit, snr, channel: which clips of the set, and which of their channels: ``mean`` or ``first``.
        epochs, batch, rate, patience, least_steps: see :class:`trainers.training.epochs.Schedule`.
        weights: a file of published weights to start from; empty starts from random ones.
    """

    layout: str = AUTO
    machine: str = ""
    unit: str = ""
    snr: str = ""
    channel: ChannelRule = "mean"
    epochs: PositiveInt = 50
    batch: PositiveInt = 100
    rate: PositiveFloat = 1e-3
    patience: PositiveInt = 3
    least_steps: PositiveInt = 1_000
    weights: str = ""

    @property
    def schedule(self) -> Schedule:
        """How long and how fast to train."""
        return Schedule(self.epochs, self.batch, self.rate, self.patience, self.least_steps)

    @property
    def trains(self) -> bool:
        """Whether the network is trained, or its published weights are used as they are."""
        return True

    def report(self) -> dict[str, Any]:
        """All options by name, the file of weights without its folder."""
        return self.model_dump() | {"weights": Path(self.weights).name}
