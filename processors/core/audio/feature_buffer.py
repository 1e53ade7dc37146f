"""The rows that windows are cut from, on the session's grid: single frames, or statistics of several."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


def pool_frames(frames: Float32, pool: int) -> Float32:
    """Mean and population standard deviation of each column over every ``pool`` frames.

    Args:
        frames: float32 (n, columns).
        pool: frames in a row; with 1 the frames are returned as they are. An incomplete row at the end is left out.

    Returns:
        float32 (n // pool, 2 * columns): means, then standard deviations; with ``pool`` 1 (n, columns).
    """
    if pool == 1:
        return frames
    rows = frames[: len(frames) // pool * pool].reshape(-1, pool, frames.shape[1])
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1)], axis=1)


class FeatureBuffer:
    """The rows of one stream that pending windows may still need.

    Row r holds frames r * pool to r * pool + pool - 1 of the session, wherever the stream began; a row whose first
    frames precede the stream is never computed. Memory: rows from :meth:`drop_before` on, less than ``pool`` frames.

    Args:
        frame_width: columns of a frame.
        pool: frames in a row.
        first_frame: session index of the first frame passed to :meth:`add`.
    """

    def __init__(self, frame_width: int, pool: int, first_frame: int) -> None:
        self._pool = pool
        self._first_row = -(-first_frame // pool)
        self._frames_to_skip = self._first_row * pool - first_frame
        self._frames = np.empty((0, frame_width), np.float32)
        self._frame_power = np.empty(0, np.float32)
        self._rows = np.empty((0, frame_width if pool == 1 else 2 * frame_width), np.float32)
        self._power = np.empty(0, np.float32)

    @property
    def first_row(self) -> int:
        """First row in the buffer, or the next row when it is empty."""
        return self._first_row

    @property
    def end_row(self) -> int:
        """One past the last complete row."""
        return self._first_row + len(self._rows)

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        return self._frames.nbytes + self._frame_power.nbytes + self._rows.nbytes + self._power.nbytes

    def add(self, frames: Float32, power: Float32) -> None:
        """Appends the next frames.

        Args:
            frames: float32 (m, frame_width).
            power: float32 (m,), mean square of each frame's samples.
        """
        skipped = min(self._frames_to_skip, len(frames))
        self._frames_to_skip -= skipped
        self._frames = np.concatenate([self._frames, frames[skipped:]])
        self._frame_power = np.concatenate([self._frame_power, power[skipped:]])
        complete = len(self._frames) // self._pool * self._pool
        if complete:
            self._rows = np.concatenate([self._rows, pool_frames(self._frames[:complete], self._pool)])
            power_of_rows = self._frame_power[:complete].reshape(-1, self._pool).mean(axis=1)
            self._power = np.concatenate([self._power, power_of_rows])
            self._frames = self._frames[complete:].copy()
            self._frame_power = self._frame_power[complete:].copy()

    def window(self, first: int, count: int) -> tuple[Float32, float]:
        """Rows ``first`` to ``first + count - 1``, float32 (count, width), and their mean power."""
        rows = slice(first - self._first_row, first - self._first_row + count)
        return self._rows[rows], float(self._power[rows].mean())

    def drop_before(self, row: int) -> None:
        """Drops the rows before ``row``."""
        dropped = min(max(row - self._first_row, 0), len(self._rows))
        if dropped:
            self._rows = self._rows[dropped:].copy()
            self._power = self._power[dropped:].copy()
            self._first_row += dropped
