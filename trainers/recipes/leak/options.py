"""Options of the leak recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from trainers.options import PositiveFloat, PositiveInt, Preset, RecipeOptions
from trainers.recipes.leak.features import FeatureKind
from trainers.recipes.leak.network import ExtractorName
from trainers.recipes.leak.training import AutoencoderName


class LeakOptions(RecipeOptions):
    """Options.

    Attributes:
        features: ``time-frequency``, ``mfcc`` or ``gfcc``.
        extractor: ``mobilenet_v3_large``, ``mobilenet_v2``, ``densenet121``, ``resnet50``, or ``none`` for an
            autoencoder of the features themselves; cepstral coefficients are never passed through one.
        model: ``conv-ae``, ``vae``, ``beta-vae-h`` or ``beta-vae-b``.
        two_sided: ``yes`` lets a score that falls with anomalies become its distance from the usual; ``no`` refuses it.
        extractor_steps, extractor_batch, extractor_rate: of the extractor's training.
        steps, batch, rate: of the autoencoder's; its source gives the convolutional one 3,000 epochs at 1e-4, the
            variational one 40,000 of the whole set at 1e-6.
    """

    presets: ClassVar[Mapping[str, Preset]] = {"small": {"extractor_steps": 40, "steps": 300}}

    features: FeatureKind = "time-frequency"
    extractor: Literal[ExtractorName, "none"] = "mobilenet_v3_large"
    model: AutoencoderName = "conv-ae"
    two_sided: Literal["yes", "no"] = "yes"
    extractor_steps: PositiveInt = 300
    extractor_batch: PositiveInt = 4
    extractor_rate: PositiveFloat = 5e-4
    steps: PositiveInt = 1_500
    batch: PositiveInt = 64
    rate: PositiveFloat = 1e-3
