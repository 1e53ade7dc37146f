"""A window shown in the pictures of a trained model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A window, its score and its reconstruction.

    Attributes:
        title: for people.
        score: the model's.
        features: float32 (n_frames, columns), the model's input or features of it; a single row is drawn as a curve.
        reconstruction: the model's, of the same shape; None where it reconstructs nothing.
        columns: meaning of a column of ``features``, for people.
        unit: of the values, for people; empty where they have none.
        seconds: length of all frames; 0 where rows are not frames of time.
        audio: the window's samples, float32 (n,), where ``features`` is not a spectrogram; None where it is.
        sample_rate: of ``audio``, Hz.
    """

    title: str
    score: float
    features: Float32
    reconstruction: Float32 | None = None
    columns: str = "mel band"
    unit: str = "dB"
    seconds: float = 0.0
    audio: Float32 | None = None
    sample_rate: int = 0
