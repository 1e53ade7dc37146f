"""Model handover: how a slot passes from its current model to the incoming one without a gap."""

from __future__ import annotations

from processors.core.models.model import ScoringModel
from processors.core.windowing.chunk_spans import ChunkSpans
from processors.core.windowing.window import Window
from processors.core.windowing.window_cutter import WindowCutter


class ModelHandover:
    """The window cutters of one slot: of the current model, which counts, and of the incoming one.

    A model with the same window geometry takes over with the next window. A model with another geometry runs beside
    the current one until it takes over, with its first complete window that begins no later than the last counted
    window ended, and ends after it. So there is no gap; counted windows end one after the other; and from the first
    counted window of the new model on, none of the old one counts. Where both end together, the new one counts.

    Args:
        current: cutter of the slot's first model.

    Attributes:
        current: cutter of the model that counts.
        incoming: cutter of the model that will take over; None outside of a handover.
        counted_until: end of the last counted window, as a session index; where the first begins, before that.
    """

    def __init__(self, current: WindowCutter) -> None:
        self.current = current
        self.incoming: WindowCutter | None = None
        self.counted_until = current.next_sample

    def cutters(self) -> list[WindowCutter]:
        """The cutters that are running."""
        return [self.current] if self.incoming is None else [self.current, self.incoming]

    def reuse_cutter(self, model: ScoringModel) -> bool:
        """Gives ``model`` to a running cutter of the same geometry; returns False where it needs one of its own."""
        if model.ref.sha256 == self.current.model.ref.sha256:
            self.incoming = None
        elif model.spec.geometry() == self.current.geometry:
            self.current.model, self.incoming = model, None
        elif self.incoming is not None and model.spec.geometry() == self.incoming.geometry:
            self.incoming.model = model
        else:
            return False
        return True

    def take_windows(self, chunks: ChunkSpans) -> list[Window]:
        """The counted windows completed since the last call, in order of their ends.

        Args:
            chunks: the segment's chunks, for offsets and capture times.
        """
        # The incoming cutter first, so that it wins where both windows end together: the sort is stable.
        candidates = [(cutter, window) for cutter in reversed(self.cutters()) for window in cutter.take_windows(chunks)]
        candidates.sort(key=lambda candidate: candidate[1].end_sample)
        counted = []
        for cutter, window in candidates:
            if cutter is self.incoming and window.first_sample <= self.counted_until < window.end_sample:
                self.current, self.incoming = cutter, None
            if cutter is self.current:
                self.counted_until = window.end_sample
                counted.append(window)
        return counted
