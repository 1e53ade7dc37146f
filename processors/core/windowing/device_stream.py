"""A device's chunks in their order: duplicates are dropped, gaps and new sessions begin a new segment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from processors.core.models.model import ModelSet
from processors.core.windowing.segment import Segment
from schemas.chunk import Chunk
from schemas.errors import MalformedHeader, WrongChannelCount, WrongSampleRate


class Arrival(Enum):
    """What a chunk was to its device's stream."""

    NEXT = "next"
    FIRST = "first"
    GAP = "gap"
    DUPLICATE = "duplicate"


@dataclass(slots=True)
class DeviceStream:
    """The stream of one device.

    Attributes:
        device_id: whose.
        model_set: the models it runs.
        sample_rate: what the device's manifest promises, Hz; None where it promises nothing.
        promised_ns: since when it promises that; sound captured before is held to its session alone.
        models_revision: what the model_set was made for; the caller's.
        detectors: those it runs; one without a model yet has no entry in ``model_set``.
        segment: the current unbroken run; None before the first chunk.
    """

    device_id: str
    model_set: ModelSet
    sample_rate: int | None = None
    promised_ns: int = 0
    models_revision: object = None
    detectors: tuple[str, ...] = ()
    segment: Segment | None = None
    _sequence: int = -1
    _end_sample: int = 0
    _channels: int = 0

    def admit(self, chunk: Chunk) -> Arrival:
        """Prepares ``segment`` for a chunk, which the caller pushes there unless it is a duplicate; later chunks may
        be admitted before.

        Raises:
            WrongSampleRate: not the rate of the manifest or of the session so far.
            WrongChannelCount: not the session's.
            MalformedHeader: a later sequence with earlier samples.
        """
        promised = self.sample_rate is not None and chunk.captured_ns >= self.promised_ns
        if promised and chunk.sample_rate != self.sample_rate:
            raise WrongSampleRate(
                f"{chunk.sample_rate} Hz; the manifest of {self.device_id!r} says {self.sample_rate} Hz: announce the"
                " device anew or send at its rate"
            )
        segment = self.segment
        if segment is None or chunk.session_id != segment.session_id:
            return self._begin(chunk, Arrival.FIRST)
        if chunk.sequence <= self._sequence:
            return Arrival.DUPLICATE
        if chunk.sample_rate != segment.sample_rate:
            raise WrongSampleRate(
                f"{chunk.sample_rate} Hz in a session of {segment.sample_rate} Hz: begin a new session to change rate"
            )
        if chunk.channels != self._channels:
            raise WrongChannelCount(
                f"{chunk.channels} channels in a session of {self._channels}: begin a new session to change channels"
            )
        if chunk.first_sample < self._end_sample:
            raise MalformedHeader(
                f"ce_firstsample {chunk.first_sample} of sequence {chunk.sequence} lies before sample"
                f" {self._end_sample}, which has already come: count samples on, or begin a new session"
            )
        if chunk.first_sample > self._end_sample:
            return self._begin(chunk, Arrival.GAP)
        self._note(chunk)
        return Arrival.NEXT

    def set_models(self, model_set: ModelSet) -> None:
        """Goes on with other models, see :meth:`Segment.set_models`."""
        self.model_set = model_set
        if self.segment is not None:
            self.segment.set_models(model_set)

    def _begin(self, chunk: Chunk, arrival: Arrival) -> Arrival:
        self.segment = Segment(self.device_id, chunk.session_id, chunk.sample_rate, chunk.first_sample, self.model_set)
        self._channels = chunk.channels
        self._note(chunk)
        return arrival

    def _note(self, chunk: Chunk) -> None:
        self._sequence = chunk.sequence
        self._end_sample = chunk.end_sample
