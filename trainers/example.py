"""A window shown in the plots of a trained model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An example window.

    Attributes:
        title: for people.
        score: the model's score.
        features: float32 (n_frames, columns), the model's input or its features; a single row is drawn as a curve.
        reconstruction: the model's reconstruction, same shape; None if it does not reconstruct.
        columns: what a column of ``features`` is, for people.
        unit: of the values, for people; empty if they have none.
        seconds: duration of all frames; 0 if they are not frames of time.
        samples: of the window, float32 (n,), if ``features`` is not a spectrogram; else None.
        sample_rate: of ``samples``, Hz.
    """

    title: str
    score: float
    features: Float32
    reconstruction: Float32 | None = None
    columns: str = "mel band"
    unit: str = "dB"
    seconds: float = 0.0
    samples: Float32 | None = None
    sample_rate: int = 0
