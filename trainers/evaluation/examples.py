"""Selects the lowest- and highest-scoring windows of a test as examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trainers.example import Example, Float32

Float64 = npt.NDArray[np.float64]
MakeExample = Callable[[str, float, Float32], Example]


def best_and_worst(
    groups: Mapping[str, Sequence[tuple[Float32, Float64]]], make_example: MakeExample
) -> tuple[Example, ...]:
    """The windows with the lowest and the highest score of each group; a single window is shown once.

    Windows without a finite score are skipped.

    Args:
        groups: by name, recordings: windows float32 (n, n_frames, width), and scores float64 (n,).
        make_example: makes an example of a title, a score and a window float32 (n_frames, width).
    """
    shown = []
    for name, recordings in groups.items():
        scored = [
            (float(value), number, window)
            for number, (_, values) in enumerate(recordings)
            for window, value in enumerate(values)
            if np.isfinite(value)
        ]
        if not scored:
            continue
        ends = (
            {f"{name}, lowest": min(scored), f"{name}, highest": max(scored)} if len(scored) > 1 else {name: scored[0]}
        )
        for title, (value, number, window) in ends.items():
            shown.append(make_example(title, value, recordings[number][0][window]))
    return tuple(shown)
