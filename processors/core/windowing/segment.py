"""A segment: an unbroken run of one session's samples, and the windows it completes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.core.accounting.coverage import Coverage, Settled
from processors.core.audio.frame_stream import FrameStream
from processors.core.audio.recording import to_mono
from processors.core.models.model import ModelSet, ScoringModel, Slot
from processors.core.windowing.chunk_spans import ChunkSpans
from processors.core.windowing.model_handover import ModelHandover
from processors.core.windowing.window import Window
from processors.core.windowing.window_cutter import WindowCutter
from schemas.chunk import Chunk

Float32 = npt.NDArray[np.float32]


# As measured on CPython 3.11: a chunk's span, and a segment's objects without their arrays.
_SPAN_BYTES, _OBJECTS_BYTES = 250, 6_000


class Segment:
    """Cuts windows for every model of a device out of consecutive chunks.

    The window grid is the session's: window w of a model starts at row w * window_hop, wherever the segment began. So
    a restart in the middle of a session rebuilds the same windows.

    Args:
        device_id, session_id: of the chunks.
        sample_rate: the device's rate, Hz.
        start: session index of the first sample.
        model_set: the models.
    """

    def __init__(self, device_id: str, session_id: str, sample_rate: int, start: int, model_set: ModelSet) -> None:
        self.device_id = device_id
        self.session_id = session_id
        self.sample_rate = sample_rate
        self._end = start
        self._coverage = Coverage(start)
        self._streams: dict[str, FrameStream] = {}
        self._handovers: dict[Slot, ModelHandover] = {}
        # Slots that the device no longer runs, each with the sample from which others hold the sound.
        self._leaving: dict[Slot, tuple[ModelHandover, int]] = {}
        self._chunks = ChunkSpans(device_id, session_id, sample_rate)
        self.set_models(model_set)

    def set_models(self, model_set: ModelSet) -> None:
        """Continues with other models; :class:`processors.core.windowing.model_handover.ModelHandover` says how.

        A champion whose detector the device no longer runs goes on until the first windows of the new detectors begin,
        so that no sound is in no window.
        """
        left = {
            slot: one for slot, one in self._handovers.items() if slot not in model_set and slot.stage == "champion"
        }
        self._handovers = {slot: handover for slot, handover in self._handovers.items() if slot in model_set}
        for slot in model_set.keys() & self._leaving.keys():
            self._handovers[slot] = self._leaving.pop(slot)[0]
        arriving = [slot for slot in model_set if slot not in self._handovers and slot.stage == "champion"]
        for slot, model in model_set.items():
            handover = self._handovers.get(slot)
            if handover is not None and handover.reuse_cutter(model):
                continue
            cutter = self._new_cutter(slot, model)
            if handover is None:
                self._handovers[slot] = ModelHandover(cutter)
            else:
                handover.incoming = cutter
        if arriving:
            begins = max(self._handovers[slot].current.next_sample for slot in arriving)
            self._leaving |= {slot: (handover, begins) for slot, handover in left.items()}
        self._drop_unused_streams()

    def push(self, chunk: Chunk, offset: int) -> list[tuple[str, FrameStream, Float32]]:
        """Takes the next chunk; it begins where the previous one ended.

        Returns:
            For every front end: its hash, its stream, and the frames float32 (m, n_fft) the chunk completes.
            The caller transforms them and passes them to ``stream.add`` in the same order.
        """
        self._chunks.append(chunk, offset)
        self._end = chunk.end_sample
        mono = to_mono(chunk.samples())
        return [(front_end, stream, stream.push(mono)) for front_end, stream in self._streams.items()]

    def take_windows(self) -> list[Window]:
        """The windows completed since the last call, in order of their ends."""
        running = len(self._cutters())
        windows = [window for handover in self._handovers.values() for window in handover.take_windows(self._chunks)]
        windows += self._take_leaving()
        cutters = self._cutters()
        if len(cutters) < running:
            self._drop_unused_streams()
        for cutter in cutters:
            cutter.buffer.drop_before(min(other.next_row for other in cutters if other.buffer is cutter.buffer))
        self._chunks.drop_before(self.needed_from())
        windows.sort(key=lambda window: window.end_sample)
        for window in windows:
            if window.slot.stage == "champion":
                self._coverage.cover(window.first_sample, window.end_sample)
        return windows

    def _take_leaving(self) -> list[Window]:
        windows = []
        for slot, (handover, begins) in list(self._leaving.items()):
            counted_until = handover.counted_until
            for window in handover.take_windows(self._chunks):
                if counted_until < begins:
                    counted_until = window.end_sample
                    windows.append(window)
            if counted_until >= begins:
                del self._leaving[slot]
        return windows

    def needed_from(self) -> int:
        """First sample that a pending window depends on, as a session index; the next one while there is no model."""
        return min((cutter.needed_from for cutter in self._cutters()), default=self._end)

    @property
    def end_sample(self) -> int:
        """One past the last sample, as a session index."""
        return self._end

    @property
    def size_bytes(self) -> int:
        """What it holds in memory, as far as it grows."""
        arrays = sum(stream.size_bytes for stream in self._streams.values())
        return arrays + len(self._chunks) * _SPAN_BYTES + _OBJECTS_BYTES

    def needed_offsets(self) -> tuple[int, ...]:
        """Offsets of the chunks that pending windows depend on, in order."""
        return self._chunks.offsets()

    def frontier(self, after: int = -1) -> int | None:
        """Offset of the oldest chunk after offset ``after`` that a pending window depends on; None for none."""
        return self._chunks.offset_after(after)

    @property
    def has_models(self) -> bool:
        """Whether any model cuts windows."""
        return bool(self._handovers)

    def settle(self, *, all_of_it: bool = False) -> Settled:
        """Samples whose outcome has become final since the last call.

        Args:
            all_of_it: whether the segment is over, so that nothing waits for a further window.
        """
        return self._coverage.settle(self._end if all_of_it else min(self.needed_from(), self._end))

    def _cutters(self) -> list[WindowCutter]:
        leaving = (handover for handover, _ in self._leaving.values())
        return [cutter for handover in (*self._handovers.values(), *leaving) for cutter in handover.cutters()]

    def _new_cutter(self, slot: Slot, model: ScoringModel) -> WindowCutter:
        front_end = model.spec.front_end()
        if front_end not in self._streams:
            self._streams[front_end] = FrameStream(model.spec, self.sample_rate, self._end)
        return WindowCutter(slot, model, front_end, self._streams[front_end])

    def _drop_unused_streams(self) -> None:
        pools: dict[str, set[int]] = {}
        for cutter in self._cutters():
            pools.setdefault(cutter.front_end, set()).add(cutter.spec.pool)
        self._streams = {front_end: stream for front_end, stream in self._streams.items() if front_end in pools}
        for front_end, stream in self._streams.items():
            stream.keep_buffers(pools[front_end])
