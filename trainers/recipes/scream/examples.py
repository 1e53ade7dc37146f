"""What a scream model hears best and worst: a window each, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from processors.core.audio.recording import windows_of
from schemas.features import FeatureSpec
from trainers.example import Example
from trainers.recipes.scream.data import frames_of
from trainers.recipes.scream.quality import ScoredTake

_NAME = 32


def examples_of(scored: Sequence[ScoredTake], spec: FeatureSpec) -> tuple[Example, ...]:
    """The screams and the harmless sounds least and most like a scream, each by the loudest-scored of its windows.

    Args:
        scored: takes, scored by a model that has not met them.
        spec: of the features.
    """
    shown = []
    for what, is_scream in (("scream", True), ("no scream", False)):
        takes = sorted(
            (one for one in scored if one.take.is_scream == is_scream and len(one.scores)), key=lambda one: one.level
        )
        for end, one in (("lowest", takes[0]), ("highest", takes[-1])) if takes else ():
            place = int(np.argmax(one.scores))
            window = windows_of(frames_of(one.take, spec), spec)[place]
            name = one.take.name.rsplit("/", 1)[-1][:_NAME]
            shown.append(
                Example(f"{what}, {end}: {name}", float(one.scores[place]), window, seconds=spec.window_seconds)
            )
    return tuple(shown)
