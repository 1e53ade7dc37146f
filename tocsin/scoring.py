"""Scoring files with the very core that scores the stream."""

from __future__ import annotations

from collections.abc import Iterator

from processors.adapters.models.onnx_model import OnnxModel
from processors.core.alerting.decision import decide
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.models.model import Slot
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from processors.stream.decision_contexts import context_of
from producers.source import Source
from schemas.chunk import Chunk

_DEVICE = "file"


class FileScorer:
    """Scores sources with one model, as one device would hear them.

    Args:
        model: a detector's.
    """

    def __init__(self, model: OnnxModel) -> None:
        detector = model.manifest.detector
        self._roster = {Slot(detector, "champion"): model}
        self._judge = context_of(detector, model, None)
        self._scorer = BatchScorer()
        self._state = DetectorState()
        self._sessions = 0

    def forget(self) -> None:
        """Begins with a device that has heard nothing."""
        self._state = DetectorState()

    def score(self, source: Source) -> Iterator[Output]:
        """Scores of all windows, in order; the threshold goes on from the source before, unless forgotten.

        Raises:
            InputError: the source cannot be read.
        """
        session = f"{_DEVICE}-{self._sessions}"
        self._sessions += 1
        segment = Segment(_DEVICE, session, source.sample_rate, 0, self._roster)
        first = 0
        for number, block in enumerate(source.blocks()):
            samples = block.samples
            chunk = Chunk(_DEVICE, session, number, first, source.sample_rate, source.channels, 0, samples.tobytes())
            first += len(samples)
            scored = self._scorer.score([(segment, chunk, number)], {_DEVICE: 0})
            self._state, outputs = decide(self._state, lambda _: self._judge, scored)
            yield from outputs
