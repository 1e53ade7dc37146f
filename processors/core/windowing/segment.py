"""A segment: an unbroken run of one session's samples, and the windows it completes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.audio.frame_stream import FrameStream
from processors.core.audio.recording import to_mono
from processors.core.models.model import ModelSet, ScoringModel, Slot
from processors.core.windowing.window import Window
from processors.core.windowing.window_cutter import ModelHandover, WindowCutter
from schemas.chunk import Chunk

Float32 = npt.NDArray[np.float32]

_LEVEL_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class _Held:
    """A chunk some window still needs, without its sound."""

    first_sample: int
    end_sample: int
    captured_ns: int
    offset: int
    regime: str


class Segment:
    """Cuts windows for every model of a device out of consecutive chunks.

    The window grid is the session's: window w of a model starts at row w * window_hop, wherever the segment began. So
    a restart in the middle of a session rebuilds the same windows.

    Args:
        device_id, session_id: whose.
        sample_rate: the device's rate, Hz.
        start: session index of the first sample.
        model_set: the models.
    """

    def __init__(self, device_id: str, session_id: str, sample_rate: int, start: int, model_set: ModelSet) -> None:
        self.device_id = device_id
        self.session_id = session_id
        self.sample_rate = sample_rate
        self._end = start
        self._streams: dict[str, FrameStream] = {}
        self._slots: dict[Slot, ModelHandover] = {}
        self._held: deque[_Held] = deque()
        self.set_models(model_set)

    def set_models(self, model_set: ModelSet) -> None:
        """Goes on with other models, as :class:`processors.core.windowing.window_cutter.ModelHandover` says."""
        self._slots = {slot: succession for slot, succession in self._slots.items() if slot in model_set}
        for slot, model in model_set.items():
            succession = self._slots.get(slot)
            if succession is not None and succession.adopt(model):
                continue
            lane = self._lane(model)
            if succession is None:
                self._slots[slot] = ModelHandover(lane)
            else:
                succession.coming = lane
        self._drop_unused()

    def push(self, chunk: Chunk, offset: int) -> list[tuple[str, FrameStream, Float32]]:
        """Takes the next chunk; it begins where the one before ended.

        Returns:
            For every front end: its hash, its stream, and the frames float32 (m, n_fft) the chunk completes.
            The caller transforms them and hands them to ``stream.add`` in the same order.
        """
        self._held.append(_Held(chunk.first_sample, chunk.end_sample, chunk.captured_ns, offset, chunk.regime))
        self._end = chunk.end_sample
        mono = to_mono(chunk.samples())
        return [(front_end, stream, stream.push(mono)) for front_end, stream in self._streams.items()]

    def take_windows(self) -> list[Window]:
        """The windows that have become whole since the last call, in order of their ends."""
        running = len(self._lanes())
        windows = [
            window
            for slot, succession in self._slots.items()
            for window in succession.take(lambda lane, row, slot=slot: self._window(slot, lane, row))  # type: ignore[misc]
        ]
        lanes = self._lanes()
        if len(lanes) < running:
            self._drop_unused()
        for lane in lanes:
            lane.rows.drop_before(min(other.next_row for other in lanes if other.rows is lane.rows))
        needed = self.needed_from()
        while self._held and self._held[0].end_sample <= needed:
            self._held.popleft()
        windows.sort(key=lambda window: window.end_sample)
        return windows

    def needed_from(self) -> int:
        """First sample that a window to come depends on, as a session index; the next one while there is no model."""
        return min((lane.needed_from() for lane in self._lanes()), default=self._end)

    def frontier(self) -> int | None:
        """Offset of the oldest chunk that a window to come depends on; None when there is none."""
        return self._held[0].offset if self._held else None

    def _lanes(self) -> list[WindowCutter]:
        return [lane for succession in self._slots.values() for lane in succession.lanes()]

    def _lane(self, model: ScoringModel) -> WindowCutter:
        front_end = model.spec.front_end()
        if front_end not in self._streams:
            self._streams[front_end] = FrameStream(model.spec, self.sample_rate, self._end)
        return WindowCutter(model, front_end, self._streams[front_end])

    def _drop_unused(self) -> None:
        pools: dict[str, set[int]] = {}
        for lane in self._lanes():
            pools.setdefault(lane.front_end, set()).add(lane.spec.pool)
        self._streams = {front_end: stream for front_end, stream in self._streams.items() if front_end in pools}
        for front_end, stream in self._streams.items():
            stream.keep(pools[front_end])

    def _window(self, slot: Slot, lane: WindowCutter, row: int) -> Window:
        rows, power = lane.rows.window(row, lane.spec.n_frames)
        first, length, last_input = lane.stream.span(row * lane.spec.pool, lane.spec.n_frames * lane.spec.pool)
        opening, closing = self._chunk_at(first), self._chunk_at(last_input)
        after = (first - opening.first_sample) * 1_000_000_000 // self.sample_rate
        return Window(
            device_id=self.device_id,
            session_id=self.session_id,
            slot=slot,
            model=lane.model,
            first_sample=first,
            n_samples=length,
            sample_rate=self.sample_rate,
            captured_ns=opening.captured_ns + after,
            level_dbfs=10.0 * math.log10(max(power, _LEVEL_FLOOR)),
            rows=rows,
            first_offset=opening.offset,
            last_offset=closing.offset,
            regime=opening.regime,
        )

    def _chunk_at(self, sample: int) -> _Held:
        return self._held[max(0, bisect_right(self._held, sample, key=lambda held: held.first_sample) - 1)]
