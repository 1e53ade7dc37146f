"""Scoring arrays and files with the core that scores the stream, without Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from processors.core.alerting.detector_state import Output
from producers.session import DEFAULT_CHUNK_SECONDS, chunk_samples
from schemas.alert import Alert
from schemas.score import Score
from tocsin.api.publisher import Samples, pcm_of
from tocsin.scoring import DeviceScorer, FileScorer, detector_model, source_of


class ScoredWindow(NamedTuple):
    """One model window and its score.

    Attributes:
        start_s, end_s: the window in the recording or stream, seconds.
        score: higher is more anomalous; the scale is the model's.
        threshold: what the score was compared with; None while there is none yet.
        exceeds: whether score > threshold.
        alert: the alert's new revision where this window opened, updated or closed one.
        record: the record a worker would send to the scores topic.
    """

    start_s: float
    end_s: float
    score: float
    threshold: float | None
    exceeds: bool
    alert: Alert | None
    record: Score


class Scorer:
    """Scores a stream of samples as a worker would score a device that sends them: same windows, features, threshold.

    Args:
        detector: ``machine`` or ``scream``: the model that ships for it; None with ``model``: the file's own.
        sample_rate: of the samples, Hz, 1,000 to 192,000; resampled to what the model needs.
        channels: 1 to 8; mixed down to mono.
        model: an ONNX file of a trainer, instead of the model that ships.
        device_id: named in records and alerts.

    Raises:
        SettingsError: there is no such detector, or the file is for another one.
        InputError: the rate or the channel count is out of range.
        UnreadableInput: there is no such file.
        ModelRefused: the file does not pass its checks.
    """

    def __init__(
        self,
        detector: str | None = None,
        *,
        sample_rate: int,
        channels: int = 1,
        model: Path | str | None = None,
        device_id: str = "local",
    ) -> None:
        chosen = detector_model(detector, None if model is None else Path(model))
        self._channels = channels
        self._samples = 0
        chunk_samples(sample_rate, channels, DEFAULT_CHUNK_SECONDS)  # refuses what no device may send
        self._device = DeviceScorer(chosen, device_id)
        self._device.begin_session(sample_rate)

    def push(self, samples: Samples) -> list[ScoredWindow]:
        """Takes samples that follow the ones before, and returns the windows they complete, in order.

        Any cut of a stream into pushes gives the same windows.

        Args:
            samples: int16, or float with 1.0 as full scale; (n,) or (n, channels), n of any length.

        Raises:
            InputError: another shape or type; a value beyond full scale, NaN or infinite. Nothing of it is scored.
        """
        pcm = pcm_of(samples, self._channels, self._samples)
        self._samples += len(pcm)
        return _windows(self._device.push(pcm))


def score_file(path: Path | str, *, detector: str | None = None, model: Path | str | None = None) -> list[ScoredWindow]:
    """Scores an audio file, or an npz or CSV file of sensor values, as a device would be scored that sends it.

    Args:
        path: the file: WAV, FLAC, Ogg, MP3 and what else libsndfile reads, or npz and CSV.
        detector: ``machine`` or ``scream``: the model that ships for it.
        model: an ONNX file of a trainer, instead of the model that ships.

    Returns:
        All windows, in order.

    Raises:
        SettingsError: neither detector nor model is given, or they contradict each other.
        InputError: the file cannot be read.
        ModelRefused: the model file does not pass its checks.
    """
    scorer = FileScorer(detector_model(detector, None if model is None else Path(model)))
    return _windows(list(scorer.score(source_of(Path(path)))))


def _windows(outputs: Sequence[Output]) -> list[ScoredWindow]:
    return [
        ScoredWindow(
            start_s=output.score.first_sample / output.score.sample_rate,
            end_s=output.score.end_sample / output.score.sample_rate,
            score=output.score.score,
            threshold=output.score.threshold,
            exceeds=output.score.exceeds,
            alert=output.alert,
            record=output.score,
        )
        for output in outputs
    ]
