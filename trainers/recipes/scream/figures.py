"""Examples of a scream model's best and worst scores: a window each, for the pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from processors.core.audio.recording import windows_of
from schemas.features import FeatureSpec
from trainers.example import Example
from trainers.recipes.scream.data import frames_of
from trainers.recipes.scream.quality import ScoredRecording

_MAX_NAME = 32


def best_and_worst_recordings(scored: Sequence[ScoredRecording], spec: FeatureSpec) -> tuple[Example, ...]:
    """The screams and the harmless sounds least and most like a scream, each by the loudest-scored of its windows.

    Args:
        scored: recordings, held out of the model that scored them.
        spec: of the features.
    """
    examples = []
    for what, is_scream in (("scream", True), ("no scream", False)):
        recordings = sorted(
            (one for one in scored if one.recording.is_scream == is_scream and len(one.scores)),
            key=lambda one: one.level,
        )
        for end, one in (("lowest", recordings[0]), ("highest", recordings[-1])) if recordings else ():
            index = int(np.argmax(one.scores))
            window = windows_of(frames_of(one.recording, spec), spec)[index]
            name = one.recording.name.rsplit("/", 1)[-1][:_MAX_NAME]
            examples.append(
                Example(f"{what}, {end}: {name}", float(one.scores[index]), window, seconds=spec.window_seconds)
            )
    return tuple(examples)
