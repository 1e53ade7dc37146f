"""The listener: chunks in, scored windows out; all of a worker's arithmetic, in one call off the event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from processors.adapters.onnx_model import OnnxModel
from processors.core.decision import ScoredWindow
from processors.core.extraction import Extractor
from processors.core.mel import normalise_level
from processors.core.segment import Segment
from processors.core.window import Window
from schemas.chunk import Chunk


class Listener:
    """Extracts windows and scores them, batched over devices.

    Args:
        models: by detector.
    """

    def __init__(self, models: Mapping[str, OnnxModel]) -> None:
        self._models = dict(models)
        self._extractor = Extractor()

    def hear(self, arrivals: Sequence[tuple[Segment, Chunk, int]], partitions: Mapping[str, int]) -> list[ScoredWindow]:
        """Scores the windows that the chunks complete.

        Args:
            arrivals: segment, its next chunk, and the chunk's offset, in stream order.
            partitions: of each device.

        Returns:
            Scored windows; those of one device and detector are in stream order.
        """
        windows = self._extractor.extract(arrivals)
        by_detector: dict[str, list[Window]] = {}
        for window in windows:
            by_detector.setdefault(window.detector, []).append(window)
        return [scored for name, group in by_detector.items() for scored in self._score(name, group, partitions)]

    def _score(self, detector: str, windows: list[Window], partitions: Mapping[str, int]) -> list[ScoredWindow]:
        model = self._models[detector]
        features = normalise_level(np.stack([window.rows for window in windows]), model.manifest.features)
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
