"""Decodes whole audio files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from schemas.audio_files import decode_errors


def decode(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """All samples of a file, float32 (n, channels) in [-1, 1], and its sample rate in Hz.

    Raises:
        UnreadableInput: it cannot be read.
        EmptyAudio: it has no bytes.
        NotAudio: it cannot be decoded.
    """
    with decode_errors(path, soundfile.LibsndfileError):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples, int(rate)
