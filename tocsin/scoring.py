"""Scoring streams and files without Kafka, with the code that scores the stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import OnnxModel, load_model, load_shipped
from processors.core.alerting.decision import decide
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.detectors import detector_named
from processors.core.audio.frame_stream import FrameStream
from processors.core.models.model import Slot
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from processors.stream.decision_contexts import context_of
from producers.source import Source
from producers.sources.file import AudioFile
from producers.sources.sensor import SensorOptions, read_sensor
from schemas.chunk import MAX_BYTES, Chunk
from schemas.errors import SettingsError
from tocsin.models.model_file import examine_file
from tocsin.noise_floor import Int16, floor_noise
from tocsin.settings import load_settings

_TABLES = {".npz", ".csv"}


class DeviceScorer:
    """Scores the audio of one device as a worker would: the same windows, features, model and threshold.

    Args:
        model: its manifest names the detector.
        device_id: named in scores and alerts.

    Raises:
        SettingsError: there is no such detector.
    """

    def __init__(self, model: OnnxModel, device_id: str = "file") -> None:
        self.spec = model.spec
        self.detector = detector_named(model.manifest.detector, load_detectors(load_settings().detectors))
        self._device_id = device_id
        self._models = {Slot(self.detector.name, "champion"): model}
        self._context = context_of(self.detector, model, None)
        self._scorer = BatchScorer()
        self._state = DetectorState()
        self._sessions = 0
        self._chunks = self._first_sample = 0
        self._segment: Segment | None = None

    def reset(self) -> None:
        """Starts again with a device without a reference."""
        self._state = DetectorState()

    def begin_session(self, sample_rate: int) -> None:
        """Begins an unbroken run of samples; the threshold continues.

        Args:
            sample_rate: Hz.
        """
        session = f"{self._device_id}-{self._sessions}"
        self._segment = Segment(self._device_id, session, sample_rate, 0, self._models)
        self._sessions += 1
        self._chunks = self._first_sample = 0

    def push(self, samples: Int16) -> list[Output]:
        """Outputs of the windows that samples complete, in order.

        Args:
            samples: int16 (n, channels), following those before.
        """
        segment = self._segment
        if segment is None:
            raise ValueError("samples before begin_session")
        outputs: list[Output] = []
        most = max(1, MAX_BYTES // samples[:1].nbytes) if len(samples) else 1
        for start in range(0, len(samples), most):
            piece = np.ascontiguousarray(samples[start : start + most])
            channels, raw = piece.shape[1], piece.tobytes()
            chunk = Chunk(
                self._device_id,
                segment.session_id,
                self._chunks,
                self._first_sample,
                segment.sample_rate,
                channels,
                0,
                raw,
            )
            scored = self._scorer.score([(segment, chunk, self._chunks)], {self._device_id: 0})
            self._chunks += 1
            self._first_sample += len(piece)
            self._state, some = decide(self._state, lambda _: self._context, scored)
            outputs += some
        return outputs


class FileScorer:
    """Scores sources with one model, as the stream would score one device that sends them.

    Args:
        model: its manifest names the detector.
    """

    def __init__(self, model: OnnxModel) -> None:
        self._device = DeviceScorer(model)

    def reset(self) -> None:
        """Starts again with a device without a reference."""
        self._device.reset()

    def missing(self, source: Source) -> int:
        """Samples per channel that a source lacks for one window; 0 if it has them, or does not state its length.

        A source shorter than a frame of the features has no floor to extend, and is not extended.
        """
        spec = self._device.spec
        stream = FrameStream(spec, source.sample_rate, 0)
        shortest, needed = (1 + stream.span(0, count)[2] for count in (1, spec.n_frames * spec.pool))
        known = source.n_samples
        return 0 if known is None or known < shortest else max(needed - known, 0)

    def score(self, source: Source) -> Iterator[Output]:
        """Scores of all windows, in order; the threshold continues from the previous source, unless :meth:`reset`.

        A source that ends before its first window is complete is extended at its own noise floor; see :meth:`missing`
        and :func:`tocsin.noise_floor.floor_noise`.

        Raises:
            InputError: the source cannot be read.
        """
        self._device.begin_session(source.sample_rate)
        for samples in self._extended(source):
            yield from self._device.push(samples)

    def _extended(self, source: Source) -> Iterator[Int16]:
        missing = self.missing(source)
        if not missing:
            yield from (block.samples for block in source.blocks())
            return
        samples = np.concatenate([block.samples for block in source.blocks()])
        yield samples
        yield floor_noise(samples, source.sample_rate, missing, lasting=self._device.detector.sustained)


def detector_model(detector: str | None, file: Path | None) -> OnnxModel:
    """The model to score with: a file's, or the one that ships for a detector.

    Args:
        detector: its name; None takes the file's own.
        file: an ONNX file of a trainer; None takes the model that ships.

    Raises:
        SettingsError: neither is given, there is no such detector, or the file is for another one.
        UnreadableInput: there is no such file.
        ModelRefused: the file does not pass its checks, or no model ships for the detector.
    """
    detectors = load_detectors(load_settings().detectors)
    if detector is not None and detector not in detectors:
        raise SettingsError(f"--detector {detector!r}: the detectors are {', '.join(detectors)}")
    if file is None:
        if detector is None:
            shipped = [name for name, one in detectors.items() if one.default_model is not None]
            raise SettingsError(f"give --detector {' or '.join(shipped)}, or --model FILE")
        return load_shipped(detector)
    # The file may come from anywhere: it is tried in a child process before it is loaded here.
    report = examine_file(file)
    own = report.manifest.detector
    if own not in detectors or detector not in (None, own):
        raise SettingsError(f"{file} is a model for {own!r}, not for {detector or ' or '.join(detectors)}")
    return load_model(file, report.sha256)


def source_of(file: Path, options: SensorOptions | None = None) -> Source:
    """A file as a source: npz and CSV as sensor values, everything else as audio.

    Args:
        file: the file.
        options: of sensor files.

    Raises:
        InputError: it cannot be read.
    """
    if file.suffix.lower() in _TABLES:
        return read_sensor(file, options or SensorOptions())
    return AudioFile.probe(file)
