"""Frames of an unbroken run of samples, each computed once however many windows and detectors share it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.resample import Resampler
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]


class FrameStream:
    """Resamples, cuts frames on the session's grid and keeps their log-mels until no window needs them.

    Frame f holds resampled samples f * hop to f * hop + n_fft - 1 of the session, wherever the run began.
    Memory: less than one chunk plus the resampler's reach in samples, and the frames since :meth:`drop_before`.

    Args:
        spec: the front end; ``level``, ``n_frames`` and ``window_hop`` do not matter.
        rate_in: the device's rate, Hz.
        start: session index of the run's first sample, at the device's rate.
    """

    def __init__(self, spec: FeatureSpec, rate_in: int, start: int) -> None:
        self._spec = spec
        self._resampler = Resampler(rate_in, spec.sample_rate)
        self._input = np.empty(0, np.float32)
        self._input_start = start
        first = self._resampler.outputs_from(start)
        self._next_frame = -(-first // spec.hop)
        # Samples before the first whole frame on the grid belong to no frame: they are never computed.
        self._resampled = np.empty(0, np.float32)
        self._resampled_start = self._next_frame * spec.hop
        self._kept_from = self._next_frame
        self._log_mel = np.empty((0, spec.n_mels), np.float32)
        self._power = np.empty(0, np.float32)

    @property
    def frames_end(self) -> int:
        """One past the last frame whose log-mel is known."""
        return self._kept_from + len(self._log_mel)

    @property
    def first_frame(self) -> int:
        """First frame that is still kept, or that will come."""
        return self._kept_from

    def push(self, mono: Float32) -> Float32:
        """Takes the next samples, float32 (n,); returns the whole frames they complete, float32 (m, n_fft)."""
        spec, resampler = self._spec, self._resampler
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
        self._next_frame += count
        return frames

    def add(self, log_mel: Float32, power: Float32) -> None:
        """Keeps what was computed from the frames of :meth:`push`, in their order.

        Args:
            log_mel: float32 (m, n_mels), dB.
            power: float32 (m,), mean square of each frame's samples.
        """
        self._log_mel = np.concatenate([self._log_mel, log_mel])
        self._power = np.concatenate([self._power, power])

    def window(self, first: int, n_frames: int) -> tuple[Float32, float]:
        """Log-mel float32 (n_frames, n_mels) and mean power of frames ``first`` to ``first + n_frames - 1``."""
        rows = slice(first - self._kept_from, first - self._kept_from + n_frames)
        return self._log_mel[rows], float(self._power[rows].mean())

    def drop_before(self, frame: int) -> None:
        """Forgets frames before ``frame``."""
        rows = min(max(frame - self._kept_from, 0), len(self._log_mel))
        if rows:
            self._log_mel = self._log_mel[rows:].copy()
            self._power = self._power[rows:].copy()
            self._kept_from += rows

    def first_input(self, frame: int) -> int:
        """First sample of the device that ``frame`` depends on, as a session index."""
        return self._resampler.first_input(frame * self._spec.hop)

    def span(self, frame: int, n_frames: int) -> tuple[int, int, int]:
        """Where frames lie in the session at the device's rate.

        Returns:
            Index of the first sample, the length in samples, and the last sample the frames depend on.
        """
        start = frame * self._spec.hop
        end = start + (n_frames - 1) * self._spec.hop + self._spec.n_fft
        first = self._resampler.position(start)
        return first, self._resampler.position(end) - first, self._resampler.last_input(end - 1)
