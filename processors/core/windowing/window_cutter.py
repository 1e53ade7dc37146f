"""The window cutter: cuts the windows of one model out of a segment's rows."""

from __future__ import annotations

import math

from processors.core.audio.frame_stream import FrameStream
from processors.core.models.model import ScoringModel, Slot
from processors.core.windowing.chunk_spans import ChunkSpans
from processors.core.windowing.window import Window

_MIN_POWER = 1e-12


class WindowCutter:
    """One model's windows on the session's grid, from the first row that its buffer holds or will hold.

    Args:
        slot: where the model runs.
        model: the model the windows are for.
        front_end: hash of the model's front end.
        stream: frames of that front end.
    """

    def __init__(self, slot: Slot, model: ScoringModel, front_end: str, stream: FrameStream) -> None:
        self.slot = slot
        self.model = model
        self.spec = model.spec
        self.geometry = model.spec.geometry()
        self.front_end = front_end
        self.stream = stream
        self.buffer = stream.buffer(self.spec.pool)
        self._next_window = -(-self.buffer.first_row // self.spec.window_hop)

    @property
    def next_row(self) -> int:
        """First row of the next window."""
        return self._next_window * self.spec.window_hop

    @property
    def next_sample(self) -> int:
        """First sample of the next window, as a session index."""
        return self.stream.span(self.next_row * self.spec.pool, 1)[0]

    @property
    def needed_from(self) -> int:
        """First sample that the next window depends on, as a session index."""
        return self.stream.first_input(self.next_row * self.spec.pool)

    def take_windows(self, chunks: ChunkSpans) -> list[Window]:
        """The windows completed since the last call, in order.

        Args:
            chunks: the segment's chunks, for offsets and capture times.
        """
        windows = []
        while (row := self.next_row) + self.spec.n_frames <= self.buffer.end_row:
            windows.append(self._window(row, chunks))
            self._next_window += 1
        return windows

    def _window(self, row: int, chunks: ChunkSpans) -> Window:
        rows, power = self.buffer.window(row, self.spec.n_frames)
        first, length, last_input = self.stream.span(row * self.spec.pool, self.spec.n_frames * self.spec.pool)
        first_chunk, last_chunk = chunks.at(first), chunks.at(last_input)
        return Window(
            device_id=chunks.device_id,
            session_id=chunks.session_id,
            slot=self.slot,
            model=self.model,
            first_sample=first,
            n_samples=length,
            sample_rate=chunks.sample_rate,
            captured_ns=chunks.captured_ns(first),
            level_dbfs=10.0 * math.log10(max(power, _MIN_POWER)),
            rows=rows,
            first_offset=first_chunk.offset,
            last_offset=last_chunk.offset,
            regime=first_chunk.regime,
        )
