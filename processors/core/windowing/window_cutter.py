"""Lanes: the windows that one model hears in a segment, and how a slot passes from one model to the next."""

from __future__ import annotations

from collections.abc import Callable

from processors.core.audio.frame_stream import FrameStream
from processors.core.models.model import ScoringModel
from processors.core.windowing.window import Window


class WindowCutter:
    """One model's windows on the session's grid, from the first row its stream still has or will have.

    Args:
        model: whose.
        front_end: its front end's hash.
        stream: frames of that front end.
    """

    def __init__(self, model: ScoringModel, front_end: str, stream: FrameStream) -> None:
        self.model = model
        self.spec = model.spec
        self.front_end = front_end
        self.stream = stream
        self.rows = stream.rows(self.spec.pool)
        self._next = -(-self.rows.first // self.spec.window_hop)

    @property
    def next_row(self) -> int:
        """First row of the next window."""
        return self._next * self.spec.window_hop

    @property
    def next_sample(self) -> int:
        """First sample of the next window, as a session index."""
        return self.stream.span(self.next_row * self.spec.pool, 1)[0]

    def needed_from(self) -> int:
        """First sample that a window to come depends on, as a session index."""
        return self.stream.first_input(self.next_row * self.spec.pool)

    def whole(self) -> list[int]:
        """First rows of the windows that have become whole since the last call."""
        found = []
        while (row := self.next_row) + self.spec.n_frames <= self.rows.end:
            found.append(row)
            self._next += 1
        return found


class ModelHandover:
    """The models of one slot: the one whose windows count, and the one that comes.

    A model that hears the same windows takes over with the next one. One with another geometry runs beside the old
    until it takes over, with its first whole window that begins no later than the last counted window ended, and ends
    after it. So there is no hole; counted windows end one after the other; and from the first window of the new model
    on none of the old one counts. Where both end together, the new one counts.

    Args:
        lane: of the first model.
    """

    def __init__(self, lane: WindowCutter) -> None:
        self.lane = lane
        self.coming: WindowCutter | None = None
        self._covered = lane.next_sample

    def lanes(self) -> list[WindowCutter]:
        """Those that are running."""
        return [self.lane] if self.coming is None else [self.lane, self.coming]

    def adopt(self, model: ScoringModel) -> bool:
        """Takes a model on if that needs no lane of its own; says whether it did."""
        if model.ref.sha256 == self.lane.model.ref.sha256:
            self.coming = None
        elif model.spec == self.lane.spec:
            self.lane.model, self.coming = model, None
        elif self.coming is not None and model.spec == self.coming.spec:
            self.coming.model = model
        else:
            return False
        return True

    def take(self, window: Callable[[WindowCutter, int], Window]) -> list[Window]:
        """The windows that count and have become whole since the last call, in order of their ends.

        Args:
            window: makes the window of a lane that begins at a row.
        """
        # The new one first, so that it wins where both end together: the sort is stable.
        made = [(lane, window(lane, row)) for lane in reversed(self.lanes()) for row in lane.whole()]
        made.sort(key=lambda pair: pair[1].end_sample)
        counted = []
        for lane, candidate in made:
            if lane is self.coming and candidate.first_sample <= self._covered < candidate.end_sample:
                self.lane, self.coming = lane, None
            if lane is self.lane:
                self._covered = candidate.end_sample
                counted.append(candidate)
        return counted
