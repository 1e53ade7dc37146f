"""Chunks in, scored windows out: all of a worker's signal processing and inference, in one call off the event loop."""

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
    """Extracts windows and scores them, in batches over devices."""

    def __init__(self) -> None:
        self._extractor = Extractor()

    def score(
        self, arrivals: Sequence[tuple[Segment, Chunk, int]], partition_by_device: Mapping[str, int]
    ) -> list[ScoredWindow]:
        """Scores the windows that the chunks complete, each with its own model.

        Args:
            arrivals: segment, its next chunk, and the chunk's offset, in stream order.
            partition_by_device: of the audio topic.

        Returns:
            Scored windows; those of one device and slot are in order of their ends.
        """
        windows = self._extractor.extract(arrivals)
        by_model: dict[str, list[int]] = {}
        for index, window in enumerate(windows):
            by_model.setdefault(window.model.ref.sha256, []).append(index)
        scored: dict[int, ScoredWindow] = {}
        for indices in by_model.values():
            of_one_model = [windows[index] for index in indices]
            scored.update(zip(indices, _score(of_one_model, partition_by_device), strict=True))
        # Back in their order: where a model takes over within a batch, the old one's windows come first.
        return [scored[index] for index in range(len(windows))]


def _score(windows: Sequence[Window], partition_by_device: Mapping[str, int]) -> list[ScoredWindow]:
    model = windows[0].model
    features = normalise_level(np.stack([window.rows for window in windows]), model.spec)
    scores, bands = model.score(features)
    return [
        ScoredWindow(
            window=window,
            partition=partition_by_device[window.device_id],
            score=float(scores[row]),
            bands=None if bands is None else bands[row],
        )
        for row, window in enumerate(windows)
    ]
