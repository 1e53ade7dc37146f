"""Scoring files with the code that scores the stream."""

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
    """Scores sources with one model, as the stream would score one device that sends them.

    Args:
        model: its manifest names the detector.
    """

    def __init__(self, model: OnnxModel) -> None:
        detector = model.manifest.detector
        self._models = {Slot(detector, "champion"): model}
        self._context = context_of(detector, model, None)
        self._scorer = BatchScorer()
        self._state = DetectorState()
        self._sessions = 0

    def reset(self) -> None:
        """Starts again with a device without a reference."""
        self._state = DetectorState()

    def score(self, source: Source) -> Iterator[Output]:
        """Scores of all windows, in order; the threshold continues from the previous source, unless :meth:`reset`.

        Raises:
            InputError: the source cannot be read.
        """
        session = f"{_DEVICE}-{self._sessions}"
        self._sessions += 1
        segment = Segment(_DEVICE, session, source.sample_rate, 0, self._models)
        first = 0
        for number, block in enumerate(source.blocks()):
            samples = block.samples
            chunk = Chunk(_DEVICE, session, number, first, source.sample_rate, source.channels, 0, samples.tobytes())
            first += len(samples)
            scored = self._scorer.hear([(segment, chunk, number)], {_DEVICE: 0})
            self._state, outputs = decide(self._state, lambda _: self._context, scored)
            yield from outputs
