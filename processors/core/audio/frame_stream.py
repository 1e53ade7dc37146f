"""Frames of an unbroken run of samples, each computed once and shared by all buffers, windows and detectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.audio.feature_buffer import FeatureBuffer
from processors.core.audio.resample import Resampler
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]


class FrameStream:
    """Resamples, cuts frames on the session's grid and buffers the rows computed from them.

    Frame f holds resampled samples f * hop to f * hop + n_fft - 1 of the session, wherever the run began.
    Memory: less than one chunk plus the resampler's half-width in samples, and each :class:`FeatureBuffer`.

    Args:
        spec: the front end; ``level``, ``pool``, ``n_frames`` and ``window_hop`` are not used.
        rate_in: the device's rate, Hz.
        start: session index of the run's first sample, at the device's rate.
    """

    def __init__(self, spec: FeatureSpec, rate_in: int, start: int) -> None:
        self.spec = spec
        self._resampler = Resampler(rate_in, spec.sample_rate)
        self._input = np.empty(0, np.float32)
        self._input_start = start
        first = self._resampler.outputs_from(start)
        self._frames_added = -(-first // spec.hop)
        # Samples before the first complete frame on the grid belong to no frame: they are never computed.
        self._resampled = np.empty(0, np.float32)
        self._resampled_start = self._frames_added * spec.hop
        self._buffers: dict[int, FeatureBuffer] = {}

    def buffer(self, pool: int) -> FeatureBuffer:
        """The buffer of rows of ``pool`` frames each; every call with the same ``pool`` returns the same object."""
        if pool not in self._buffers:
            self._buffers[pool] = FeatureBuffer(self.spec.frame_width, pool, self._frames_added)
        return self._buffers[pool]

    def keep_buffers(self, pools: set[int]) -> None:
        """Drops the buffers of all other pool sizes."""
        self._buffers = {pool: buffer for pool, buffer in self._buffers.items() if pool in pools}

    def push(self, mono: Float32) -> Float32:
        """Takes the next samples, float32 (n,); returns the frames they complete, float32 (m, n_fft)."""
        spec, resampler = self.spec, self._resampler
        self._input = np.concatenate([self._input, mono])
        end = self._resampled_start + len(self._resampled)
        new_end = resampler.outputs_until(self._input_start + len(self._input))
        if new_end > end:
            resampled = resampler(self._input, self._input_start, end, new_end)
            self._resampled = np.concatenate([self._resampled, resampled])
            end = new_end
        unneeded = min(max(resampler.first_input(end) - self._input_start, 0), len(self._input))
        # Copies: a view would keep the whole chunk in memory.
        self._input = self._input[unneeded:].copy()
        self._input_start += unneeded
        count = (len(self._resampled) - spec.n_fft) // spec.hop + 1
        if count <= 0:
            return np.empty((0, spec.n_fft), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._resampled, spec.n_fft)[:: spec.hop][:count]
        self._resampled = self._resampled[count * spec.hop :].copy()
        self._resampled_start += count * spec.hop
        return frames

    def add(self, frames: Float32, power: Float32) -> None:
        """Appends the transformed frames of :meth:`push` to every buffer, in their order.

        Args:
            frames: float32 (m, frame_width), transformed.
            power: float32 (m,), mean square of each frame's samples.
        """
        self._frames_added += len(frames)
        for buffer in self._buffers.values():
            buffer.add(frames, power)

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        held = self._input.nbytes + self._resampled.nbytes
        return held + sum(buffer.size_bytes for buffer in self._buffers.values())

    def first_input(self, frame: int) -> int:
        """First device sample that ``frame`` depends on, as a session index."""
        return self._resampler.first_input(frame * self.spec.hop)

    def span(self, frame: int, count: int) -> tuple[int, int, int]:
        """The span of ``count`` frames in the session at the device's rate.

        Returns:
            Index of the first sample, the length in samples, and the last sample the frames depend on.
        """
        start = frame * self.spec.hop
        end = start + (count - 1) * self.spec.hop + self.spec.n_fft
        first = self._resampler.position(start)
        return first, self._resampler.position(end) - first, self._resampler.last_input(end - 1)
