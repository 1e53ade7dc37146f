"""Options of the scream recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.features import FeatureSpec
from trainers.options import PositiveFloat, PositiveInt, Preset, RecipeOptions
from trainers.recipes.scream.batches import augmentations
from trainers.recipes.scream.network_family import Features, ModelName

SPEC = FeatureSpec(n_frames=48, window_hop=12)
# Windows of one second every 0.2 s: frames do not overlap, as in Eye-SCREAM.
_EYE_SCREAM_FRAMES = {512: (44, 8), 2_048: (11, 2), 4_096: (6, 1)}
_EYE_SCREAM_RATE = 22_050


class ScreamOptions(RecipeOptions):
    """Options.

    Attributes:
        folders: below the data folder, separated by commas.
        unsure: prefixes of file names, separated by commas: clips in the folder of screams with shouted speech or sobs.
            They are not trained on, and their windows are not counted; as clips they still are.
        folds: of the cross-validation, at least 2.
        steps, batch: of each training run, in its first cycle.
        cycles: each further one continues from the weights before it, for five ninths of the steps, at half the rate.
        rate, dropout, beta1, l2: the highest learning rate, the share dropped before dense layers, the decay of Adam's
            first moment, the (decoupled) weight decay.
        synthetic: synthetic screams to train on; harmless sounds are added with them.
        model: ``compact``, or one of Eye-SCREAM's: A, B, C, C-RNN, A-depthwise, A-deep.
        features: ``log-mel`` or ``mel``.
        hop: 320 samples at 16 kHz in frames of 1,024; or 512, 2,048 or 4,096 at 22,050 Hz in frames as long.
        width: channels of the compact network's first layer.
        augment: ``all``, ``none``, or names; see :data:`trainers.recipes.scream.batches.AUGMENTATIONS`.
        kinds: weight in the loss of classifying the kind of sound, besides whether it is a scream; 0 disables it.
        search: number of random sets of rate, dropout, beta1 and l2, of which the best is used; 1: those given.
        checkpoints: folder that stores each finished fold permanently, for other runs too; empty: they are stored until
            the run has ended, so that an interrupted one resumes.
    """

    # Two folds and few steps, to see that everything works.
    presets: ClassVar[Mapping[str, Preset]] = {
        "small": {"folds": 2, "steps": 150, "cycles": 1, "batch": 32, "synthetic": 30}
    }

    folders: str = "scream,ambience,sounds"
    unsure: str = "long_test_abuse_many_blanks,359154__horroraudio__muffled-female-cry"
    folds: Annotated[int, Field(ge=2)] = 5
    steps: PositiveInt = 9_000
    cycles: PositiveInt = 2
    batch: PositiveInt = 64
    rate: PositiveFloat = 0.004
    dropout: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    beta1: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.9
    l2: PositiveFloat = 0.001
    synthetic: PositiveInt = 600
    model: ModelName = "compact"
    features: Features = "log-mel"
    hop: Literal[320, 512, 2_048, 4_096] = 320
    width: PositiveInt = 16
    augment: str = "shift,speed,mix,room,band,colour,gain,mask"
    kinds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.3
    search: PositiveInt = 1
    checkpoints: str = ""

    @field_validator("augment")
    @classmethod
    def _check_augment(cls, text: str) -> str:
        augmentations(text)
        return text

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        if self.model == "compact" and self.features != "log-mel":
            raise ValueError(
                f"option 'features' is {self.features!r}; model {self.model!r} uses log-mel: name another model"
            )
        return self


def spec_of(options: ScreamOptions) -> FeatureSpec:
    """The features of a hop."""
    if options.hop == 320:
        return SPEC
    n_frames, window_hop = _EYE_SCREAM_FRAMES[options.hop]
    return FeatureSpec(
        sample_rate=_EYE_SCREAM_RATE,
        n_fft=options.hop,
        win_length=options.hop,
        hop=options.hop,
        fmin=0.0,
        fmax=_EYE_SCREAM_RATE / 2.0,
        n_frames=n_frames,
        window_hop=window_hop,
    )
