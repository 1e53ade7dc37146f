"""What may be set for the scream recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from trainers.recipe import Preset, with_settings
from trainers.recipes.scream.batches import augmentations
from trainers.recipes.scream.network_family import LOG_MEL, OWN, network

OWN_HOP = 320
SPEC = FeatureSpec(n_frames=48, window_hop=12)
# One second, and about 0.2 s to the next: frames that do not overlap, as in Eye-SCREAM.
_EYE_SCREAM_FRAMES = {512: (44, 8), 2_048: (11, 2), 4_096: (6, 1)}
_EYE_SCREAM_RATE = 22_050
PRESETS: dict[str, Preset] = {"small": {"folds": 2, "steps": 150, "cycles": 1, "batch": 32, "synthetic": 30}}
"""``small``: two folds and few steps, to see that all goes well."""


@dataclass(frozen=True, slots=True)
class ScreamOptions:
    """What may be set.

    Attributes:
        folders: below the data folder, separated by commas.
        unsure: beginnings of file names, separated by commas: clips in the folder of screams that hold shouted speech
            or sobs rather. They are not learned from, and their windows are not counted; as clips they still are.
        folds: of the cross-validation, at least 2.
        steps, batch: of each training run, in its first cycle.
        cycles: each further one goes on from the weights before it, for five ninths of the steps, at half the rate.
        rate, dropout, beta1, l2: the highest learning rate, the share dropped before dense layers, Adam's first
            moment's decay, the weights' decay (decoupled).
        synthetic: synthetic screams to learn from; harmless sounds come with them.
        model: ``compact``, or one of Eye-SCREAM's: A, B, C, C-RNN, A-depthwise, A-deep.
        features: ``log-mel`` or ``mel``.
        hop: 320 samples at 16 kHz in frames of 1,024; or 512, 2,048 or 4,096 at 22,050 Hz in frames as long.
        width: channels of the compact network's first layer.
        augment: ``all``, ``none``, or names; see :data:`trainers.recipes.scream.batches.AUGMENTATIONS`.
        kinds: weight in the loss of telling apart what kind of sound a window holds, besides whether it is a scream; 0:
            none.
        search: sets of rate, dropout, beta1 and l2 drawn at random, of which the best is taken; 1: those given.
        checkpoints: folder that keeps each finished fold for good, for other runs too; empty: they are kept until the
            run has ended, so that one that was broken off goes on.
    """

    folders: str = "scream,ambience,sounds"
    unsure: str = "long_test_abuse_many_blanks,359154__horroraudio__muffled-female-cry"
    folds: int = 5
    steps: int = 9_000
    cycles: int = 2
    batch: int = 64
    rate: float = 0.004
    dropout: float = 0.2
    beta1: float = 0.9
    l2: float = 0.001
    synthetic: int = 600
    model: str = OWN
    features: str = LOG_MEL
    hop: int = OWN_HOP
    width: int = 16
    augment: str = "shift,speed,mix,room,band,colour,gain,mask"
    kinds: float = 0.3
    search: int = 1
    checkpoints: str = ""


def options_of(settings: Mapping[str, str]) -> ScreamOptions:
    """Options from text, checked.

    Raises:
        SettingsError: one is unknown, cannot be read, or there is no such choice.
    """
    options = with_settings(ScreamOptions(), settings, PRESETS, zeros=("kinds",))
    for name, value in (("dropout", options.dropout), ("beta1", options.beta1)):
        if not value < 1.0:
            raise SettingsError(f"option {name!r} is {value}; it must be below 1")
    augmentations(options.augment)
    spec_of(options)
    network(options.model, options.features, options.width, options.dropout)
    return options


def spec_of(options: ScreamOptions) -> FeatureSpec:
    """The features a choice of hop stands for.

    Raises:
        SettingsError: there is no such hop.
    """
    if options.hop == OWN_HOP:
        return SPEC
    if options.hop not in _EYE_SCREAM_FRAMES:
        hops = ", ".join(str(hop) for hop in (OWN_HOP, *_EYE_SCREAM_FRAMES))
        raise SettingsError(f"option 'hop' is {options.hop}; there are {hops}")
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
