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

    The window grid is the session's: window w of a detector starts at frame w * window_hop, wherever the segment
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
        self._next_window: dict[str, int] = {}
        for detector, spec in specs.items():
            stream = self._streams.setdefault(spec.front_end(), FrameStream(spec, sample_rate, start))
            self._next_window[detector] = -(-stream.first_frame // spec.window_hop)
        self._held: deque[_Held] = deque()

    def push(self, chunk: Chunk, offset: int) -> list[tuple[str, FrameStream, Float32]]:
        """Takes the next chunk; it begins where the one before ended.

        Returns:
            For every front end: its hash, its stream, and the frames float32 (m, n_fft) the chunk completes.
            The caller computes their log-mels and hands them to ``stream.add`` in the same order.
        """
        self._held.append(_Held(chunk.first_sample, chunk.end_sample, chunk.captured_ns, offset))
        mono = to_mono(chunk.samples())
        return [(front_end, stream, stream.push(mono)) for front_end, stream in self._streams.items()]

    def take_windows(self) -> list[Window]:
        """The windows that have become whole since the last call, in order of their first sample."""
        windows = []
        for detector, spec in self.specs.items():
            stream = self._streams[spec.front_end()]
            while (frame := self._next_window[detector] * spec.window_hop) + spec.n_frames <= stream.frames_end:
                windows.append(self._window(detector, stream, frame, spec.n_frames))
                self._next_window[detector] += 1
        for front_end, stream in self._streams.items():
            stream.drop_before(min(frame for key, frame in self._starts() if key == front_end))
        needed = self.needed_from()
        while self._held and self._held[0].end_sample <= needed:
            self._held.popleft()
        windows.sort(key=lambda window: window.first_sample)
        return windows

    def needed_from(self) -> int:
        """First sample that a window to come depends on, as a session index."""
        return min(self._streams[front_end].first_input(frame) for front_end, frame in self._starts())

    def frontier(self) -> int | None:
        """Offset of the oldest chunk that a window to come depends on; None when there is none."""
        return self._held[0].offset if self._held else None

    def _starts(self) -> list[tuple[str, int]]:
        return [
            (spec.front_end(), self._next_window[detector] * spec.window_hop) for detector, spec in self.specs.items()
        ]

    def _window(self, detector: str, stream: FrameStream, frame: int, n_frames: int) -> Window:
        log_mel, power = stream.window(frame, n_frames)
        first, length, last_input = stream.span(frame, n_frames)
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
            log_mel=log_mel,
            first_offset=opening.offset,
            last_offset=closing.offset,
        )

    def _chunk_at(self, sample: int) -> _Held:
        return self._held[max(0, bisect_right(self._held, sample, key=lambda held: held.first_sample) - 1)]
