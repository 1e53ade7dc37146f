"""The best and the worst windows of a test, to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trainers.example import Example, Float32

Float64 = npt.NDArray[np.float64]
Looked = Callable[[str, float, Float32], Example]


def best_and_worst(groups: Mapping[str, Sequence[tuple[Float32, Float64]]], look: Looked) -> tuple[Example, ...]:
    """The windows of the lowest and the highest score of each group; a window alone is shown once.

    Windows without a finite score are passed over.

    Args:
        groups: by what they hold, recordings: windows float32 (n, n_frames, width), and scores float64 (n,).
        look: an example of a title, a score and a window float32 (n_frames, width).
    """
    shown = []
    for name, recordings in groups.items():
        places = [
            (float(value), number, window)
            for number, (_, values) in enumerate(recordings)
            for window, value in enumerate(values)
            if np.isfinite(value)
        ]
        if not places:
            continue
        ends = (
            {f"{name}, lowest": min(places), f"{name}, highest": max(places)} if len(places) > 1 else {name: places[0]}
        )
        for title, (value, number, window) in ends.items():
            shown.append(look(title, value, recordings[number][0][window]))
    return tuple(shown)
