"""The listener: chunks in, scored windows out; all of a worker's arithmetic, in one call off the event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from processors.core.alerting.decision import ScoredWindow
from processors.core.audio.mel import normalise_level
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.segment import Segment
from processors.core.windowing.window import Window
from schemas.chunk import Chunk


class BatchScorer:
    """Extracts windows and scores them, batched over devices."""

    def __init__(self) -> None:
        self._extractor = Extractor()

    def hear(self, arrivals: Sequence[tuple[Segment, Chunk, int]], partitions: Mapping[str, int]) -> list[ScoredWindow]:
        """Scores the windows that the chunks complete, each with its own model.

        Args:
            arrivals: segment, its next chunk, and the chunk's offset, in stream order.
            partitions: of each device.

        Returns:
            Scored windows; those of one device and slot are in order of their ends.
        """
        windows = self._extractor.extract(arrivals)
        by_model: dict[str, list[int]] = {}
        for place, window in enumerate(windows):
            by_model.setdefault(window.model.ref.sha256, []).append(place)
        scored: dict[int, ScoredWindow] = {}
        for places in by_model.values():
            together = [windows[place] for place in places]
            scored.update(zip(places, _score(together, partitions), strict=True))
        # In their order again: where a model takes over within a batch, the old one's windows come first.
        return [scored[place] for place in range(len(windows))]


def _score(windows: Sequence[Window], partitions: Mapping[str, int]) -> list[ScoredWindow]:
    model = windows[0].model
    features = normalise_level(np.stack([window.rows for window in windows]), model.spec)
    scores, bands = model.score(features)
    return [
        ScoredWindow(
            window=window,
            partition=partitions[window.device_id],
            score=float(scores[row]),
            bands=None if bands is None else bands[row],
        )
        for row, window in enumerate(windows)
    ]
