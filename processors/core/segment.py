"""A segment: an unbroken run of one session's samples, and the windows it completes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.core.frame_stream import FrameStream
from processors.core.recording import to_mono
from processors.core.rows import Rows
from processors.core.window import Window
from schemas.chunk import Chunk
from schemas.features import FeatureSpec

Float32 = npt.NDArray[np.float32]

_LEVEL_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class _Held:
    """A chunk some window still needs, without its sound."""

    first_sample: int
    end_sample: int
    captured_ns: int
    offset: int


class Segment:
    """Cuts windows for every detector of a device out of consecutive chunks.

    The window grid is the session's: window w of a detector starts at row w * window_hop, wherever the segment
    began. So a restart in the middle of a session rebuilds the same windows.

    Args:
        device_id, session_id: whose.
        sample_rate: the device's rate, Hz.
        start: session index of the first sample.
        specs: feature specification by detector.
    """

    def __init__(
        self, device_id: str, session_id: str, sample_rate: int, start: int, specs: Mapping[str, FeatureSpec]
    ) -> None:
        self.device_id = device_id
        self.session_id = session_id
        self.sample_rate = sample_rate
        self.specs = dict(specs)
        self._streams: dict[str, FrameStream] = {}
        self._rows: dict[str, Rows] = {}
        self._next_window: dict[str, int] = {}
        for detector, spec in specs.items():
            stream = self._streams.setdefault(spec.front_end(), FrameStream(spec, sample_rate, start))
            self._rows[detector] = stream.rows(spec.pool)
            self._next_window[detector] = -(-self._rows[detector].first // spec.window_hop)
        self._held: deque[_Held] = deque()

    def push(self, chunk: Chunk, offset: int) -> list[tuple[str, FrameStream, Float32]]:
        """Takes the next chunk; it begins where the one before ended.

        Returns:
            For every front end: its hash, its stream, and the frames float32 (m, n_fft) the chunk completes.
            The caller transforms them and hands them to ``stream.add`` in the same order.
        """
        self._held.append(_Held(chunk.first_sample, chunk.end_sample, chunk.captured_ns, offset))
        mono = to_mono(chunk.samples())
        return [(front_end, stream, stream.push(mono)) for front_end, stream in self._streams.items()]

    def take_windows(self) -> list[Window]:
        """The windows that have become whole since the last call, in order of their first sample."""
        windows = []
        for detector, spec in self.specs.items():
            rows = self._rows[detector]
            while (row := self._next_window[detector] * spec.window_hop) + spec.n_frames <= rows.end:
                windows.append(self._window(detector, spec, row))
                self._next_window[detector] += 1
        for rows in self._rows.values():
            rows.drop_before(min(self._next_row(name) for name, shared in self._rows.items() if shared is rows))
        needed = self.needed_from()
        while self._held and self._held[0].end_sample <= needed:
            self._held.popleft()
        windows.sort(key=lambda window: window.first_sample)
        return windows

    def needed_from(self) -> int:
        """First sample that a window to come depends on, as a session index."""
        return min(
            self._streams[spec.front_end()].first_input(self._next_row(detector) * spec.pool)
            for detector, spec in self.specs.items()
        )

    def frontier(self) -> int | None:
        """Offset of the oldest chunk that a window to come depends on; None when there is none."""
        return self._held[0].offset if self._held else None

    def _next_row(self, detector: str) -> int:
        return self._next_window[detector] * self.specs[detector].window_hop

    def _window(self, detector: str, spec: FeatureSpec, row: int) -> Window:
        rows, power = self._rows[detector].window(row, spec.n_frames)
        stream = self._streams[spec.front_end()]
        first, length, last_input = stream.span(row * spec.pool, spec.n_frames * spec.pool)
        opening, closing = self._chunk_at(first), self._chunk_at(last_input)
        after = (first - opening.first_sample) * 1_000_000_000 // self.sample_rate
        return Window(
            device_id=self.device_id,
            session_id=self.session_id,
            detector=detector,
            first_sample=first,
            n_samples=length,
            sample_rate=self.sample_rate,
            captured_ns=opening.captured_ns + after,
            level_dbfs=10.0 * math.log10(max(power, _LEVEL_FLOOR)),
            rows=rows,
            first_offset=opening.offset,
            last_offset=closing.offset,
        )

    def _chunk_at(self, sample: int) -> _Held:
        return self._held[max(0, bisect_right(self._held, sample, key=lambda held: held.first_sample) - 1)]
