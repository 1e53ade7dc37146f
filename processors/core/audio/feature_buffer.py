"""FeatureBuffer: what windows are made of, on the session's grid; a frame each, or a summary of some."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


def pooled(frames: Float32, pool: int) -> Float32:
    """Frames summarised: mean and population standard deviation of each column over ``pool`` frames.

    Args:
        frames: float32 (n, columns).
        pool: frames in a row; with 1 rows are the frames themselves. What is left at the end belongs to no row.

    Returns:
        float32 (n // pool, 2 * columns): means, then standard deviations; with ``pool`` 1 (n, columns).
    """
    if pool == 1:
        return frames
    rows = frames[: len(frames) // pool * pool].reshape(-1, pool, frames.shape[1])
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1)], axis=1)


class FeatureBuffer:
    """The rows of one stream that windows may still need.

    Row r holds frames r * pool to r * pool + pool - 1 of the session, wherever the stream began; a row whose first
    frames came before it is never made. Memory: the rows since :meth:`drop_before` and less than ``pool`` frames.

    Args:
        frame_width: columns of a frame.
        pool: frames in a row.
        first_frame: the frame that :meth:`add` is given first.
    """

    def __init__(self, frame_width: int, pool: int, first_frame: int) -> None:
        self._pool = pool
        self._first = -(-first_frame // pool)
        self._skip = self._first * pool - first_frame
        self._frames = np.empty((0, frame_width), np.float32)
        self._frame_power = np.empty(0, np.float32)
        self._rows = np.empty((0, frame_width if pool == 1 else 2 * frame_width), np.float32)
        self._power = np.empty(0, np.float32)

    @property
    def first(self) -> int:
        """First row that is still kept, or that will come."""
        return self._first

    @property
    def end(self) -> int:
        """One past the last whole row."""
        return self._first + len(self._rows)

    def add(self, frames: Float32, power: Float32) -> None:
        """Takes the next frames.

        Args:
            frames: float32 (m, frame_width).
            power: float32 (m,), mean square of each frame's samples.
        """
        skipped = min(self._skip, len(frames))
        self._skip -= skipped
        self._frames = np.concatenate([self._frames, frames[skipped:]])
        self._frame_power = np.concatenate([self._frame_power, power[skipped:]])
        whole = len(self._frames) // self._pool * self._pool
        if whole:
            self._rows = np.concatenate([self._rows, pooled(self._frames[:whole], self._pool)])
            fresh = self._frame_power[:whole].reshape(-1, self._pool).mean(axis=1)
            self._power = np.concatenate([self._power, fresh])
            self._frames = self._frames[whole:].copy()
            self._frame_power = self._frame_power[whole:].copy()

    def window(self, first: int, count: int) -> tuple[Float32, float]:
        """FeatureBuffer ``first`` to ``first + count - 1``, float32 (count, width), and their mean power."""
        rows = slice(first - self._first, first - self._first + count)
        return self._rows[rows], float(self._power[rows].mean())

    def drop_before(self, row: int) -> None:
        """Forgets rows before ``row``."""
        dropped = min(max(row - self._first, 0), len(self._rows))
        if dropped:
            self._rows = self._rows[dropped:].copy()
            self._power = self._power[dropped:].copy()
            self._first += dropped
