"""Options of the embedding recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from trainers.options import PositiveFloat, PositiveInt, Preset, RecipeOptions


class EmbeddingOptions(RecipeOptions):
    """Options.

    Attributes:
        device: the one the model is for, by its name in the report; empty selects the first.
        seconds: of a window; recordings shorter than a window are left out, the device must have six windows.
        embedding: ``yes``, ``no`` for a memory bank of phases alone, which needs no training, or ``auto``: with three
            devices or more.
        pairs: ``yes`` measures each device against each other with embeddings trained on neither; ``blocks`` does so
            with the held-out recordings of a device contiguous in time.
        synthetic: synthetic machines to add to the training, one recording each.
        steps, batch, rate: of the embedding's training.
        width, size: see :class:`trainers.recipes.embedding.network.EmbeddingNet`.
    """

    presets: ClassVar[Mapping[str, Preset]] = {"small": {"steps": 120, "synthetic": 12}}

    device: str = ""
    seconds: PositiveFloat = 5.96
    embedding: Literal["yes", "no", "auto"] = "auto"
    pairs: Literal["yes", "blocks", "no"] = "no"
    synthetic: PositiveInt = 40
    steps: PositiveInt = 500
    batch: PositiveInt = 24
    rate: PositiveFloat = 0.003
    width: PositiveInt = 12
    size: PositiveInt = 48
