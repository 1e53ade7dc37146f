"""Scoring files with the code that scores the stream."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from processors.adapters.models.onnx_model import OnnxModel
from processors.core.alerting.decision import decide
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.detectors import DETECTORS
from processors.core.audio.frame_stream import FrameStream
from processors.core.models.model import Slot
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from processors.stream.decision_contexts import context_of
from producers.source import Source
from schemas.chunk import Chunk
from tocsin.noise_floor import Int16, floor_noise

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
        self._spec = model.spec
        self._lasting = DETECTORS[detector].sustained

    def reset(self) -> None:
        """Starts again with a device without a reference."""
        self._state = DetectorState()

    def missing(self, source: Source) -> int:
        """Samples per channel that a source lacks to make one window; 0 where it makes one, or does not say its length.

        A source shorter than a frame of the features lacks a floor to go on with, and is not filled up.
        """
        stream = FrameStream(self._spec, source.sample_rate, 0)
        shortest, needed = (1 + stream.span(0, count)[2] for count in (1, self._spec.n_frames * self._spec.pool))
        known = source.n_samples
        return 0 if known is None or known < shortest else max(needed - known, 0)

    def score(self, source: Source) -> Iterator[Output]:
        """Scores of all windows, in order; the threshold continues from the previous source, unless :meth:`reset`.

        A source that ends before its first window is whole goes on at its own floor until that window is; see
        :meth:`missing` and :func:`tocsin.noise_floor.floor_noise`.

        Raises:
            InputError: the source cannot be read.
        """
        session = f"{_DEVICE}-{self._sessions}"
        self._sessions += 1
        segment = Segment(_DEVICE, session, source.sample_rate, 0, self._models)
        first = 0
        for number, samples in enumerate(self._whole(source)):
            chunk = Chunk(_DEVICE, session, number, first, source.sample_rate, source.channels, 0, samples.tobytes())
            first += len(samples)
            scored = self._scorer.score([(segment, chunk, number)], {_DEVICE: 0})
            self._state, outputs = decide(self._state, lambda _: self._context, scored)
            yield from outputs

    def _whole(self, source: Source) -> Iterator[Int16]:
        missing = self.missing(source)
        if not missing:
            yield from (block.samples for block in source.blocks())
            return
        samples = np.concatenate([block.samples for block in source.blocks()])
        yield samples
        yield floor_noise(samples, source.sample_rate, missing, lasting=self._lasting)
