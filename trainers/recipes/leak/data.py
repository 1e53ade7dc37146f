"""Windows of the leak recipe's clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import UnusableAudio
from trainers.data.loaders.clip import Clip
from trainers.progress import track
from trainers.recipes.leak.features import SAMPLE_RATE, SPEC

Float32 = npt.NDArray[np.float32]


def first_windows(clips: Sequence[Clip]) -> Float32:
    """The first window of each clip, float32 (n, n_frames, n_fft).

    Raises:
        UnusableAudio: one is too short.
    """
    parts = [np.empty((0, SPEC.n_frames, SPEC.n_fft), np.float32)]
    for clip in track(clips, "reading clips"):
        windows = windows_of(rows_of(clip.samples(SAMPLE_RATE), SAMPLE_RATE, SPEC), SPEC)[:1]
        if not len(windows):
            raise UnusableAudio(
                f"{clip.path} lasts {clip.length / clip.sample_rate:.2f} s; {SPEC.window_seconds:g} s are needed:"
                " remove it"
            )
        parts.append(windows)
    return np.concatenate(parts)
