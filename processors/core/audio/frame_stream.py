"""Frames of an unbroken run of samples, each computed once however many rows, windows and detectors share it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.audio.feature_buffer import FeatureBuffer
from processors.core.audio.resample import Resampler
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]


class FrameStream:
    """Resamples, cuts frames on the session's grid and keeps the rows that are made of them.

    Frame f holds resampled samples f * hop to f * hop + n_fft - 1 of the session, wherever the run began.
    Memory: less than one chunk plus the resampler's reach in samples, and the :class:`FeatureBuffer`.

    Args:
        spec: the front end; ``level``, ``pool``, ``n_frames`` and ``window_hop`` do not matter.
        rate_in: the device's rate, Hz.
        start: session index of the run's first sample, at the device's rate.
    """

    def __init__(self, spec: FeatureSpec, rate_in: int, start: int) -> None:
        self.spec = spec
        self._resampler = Resampler(rate_in, spec.sample_rate)
        self._input = np.empty(0, np.float32)
        self._input_start = start
        first = self._resampler.outputs_from(start)
        self._added = -(-first // spec.hop)
        # Samples before the first whole frame on the grid belong to no frame: they are never computed.
        self._resampled = np.empty(0, np.float32)
        self._resampled_start = self._added * spec.hop
        self._rows: dict[int, FeatureBuffer] = {}

    def rows(self, pool: int) -> FeatureBuffer:
        """The rows of ``pool`` frames each; the same object however often it is asked for."""
        if pool not in self._rows:
            self._rows[pool] = FeatureBuffer(self.spec.frame_width, pool, self._added)
        return self._rows[pool]

    def keep(self, pools: set[int]) -> None:
        """Forgets the rows that nobody asks for any more."""
        self._rows = {pool: rows for pool, rows in self._rows.items() if pool in pools}

    def push(self, mono: Float32) -> Float32:
        """Takes the next samples, float32 (n,); returns the whole frames they complete, float32 (m, n_fft)."""
        spec, resampler = self.spec, self._resampler
        self._input = np.concatenate([self._input, mono])
        have = self._resampled_start + len(self._resampled)
        until = resampler.outputs_until(self._input_start + len(self._input))
        if until > have:
            fresh = resampler(self._input, self._input_start, have, until)
            self._resampled = np.concatenate([self._resampled, fresh])
            have = until
        keep = min(max(resampler.first_input(have) - self._input_start, 0), len(self._input))
        self._input = self._input[keep:]
        self._input_start += keep
        count = (len(self._resampled) - spec.n_fft) // spec.hop + 1
        if count <= 0:
            return np.empty((0, spec.n_fft), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._resampled, spec.n_fft)[:: spec.hop][:count]
        self._resampled = self._resampled[count * spec.hop :]
        self._resampled_start += count * spec.hop
        return frames

    def add(self, frames: Float32, power: Float32) -> None:
        """Puts what was computed from the frames of :meth:`push` into rows, in their order.

        Args:
            frames: float32 (m, frame_width), transformed.
            power: float32 (m,), mean square of each frame's samples.
        """
        self._added += len(frames)
        for rows in self._rows.values():
            rows.add(frames, power)

    def first_input(self, frame: int) -> int:
        """First sample of the device that ``frame`` depends on, as a session index."""
        return self._resampler.first_input(frame * self.spec.hop)

    def span(self, frame: int, count: int) -> tuple[int, int, int]:
        """Where ``count`` frames lie in the session at the device's rate.

        Returns:
            Index of the first sample, the length in samples, and the last sample the frames depend on.
        """
        start = frame * self.spec.hop
        end = start + (count - 1) * self.spec.hop + self.spec.n_fft
        first = self._resampler.position(start)
        return first, self._resampler.position(end) - first, self._resampler.last_input(end - 1)
