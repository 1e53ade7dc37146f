"""A window to look at, for the pictures of a trained model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A window to look at.

    Attributes:
        title: what it is, for people.
        score: the model's.
        heard: float32 (n_frames, columns), what the model was shown, or made of it; one row is drawn as a curve.
        rebuilt: what it made of that, of the same shape; None where it rebuilds nothing.
        columns: what a column of ``heard`` is, for people.
        unit: of its values, for people; empty where they have none.
        seconds: what the frames last together; 0 where they are no frames of time.
        sound: the window's samples, float32 (n,), where ``heard`` is no spectrogram; None where it is.
        sample_rate: of ``sound``, Hz.
    """

    title: str
    score: float
    heard: Float32
    rebuilt: Float32 | None = None
    columns: str = "mel band"
    unit: str = "dB"
    seconds: float = 0.0
    sound: Float32 | None = None
    sample_rate: int = 0
