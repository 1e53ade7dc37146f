"""The stream of a device: drops duplicate chunks and begins a new segment at gaps and new sessions.

One session of a device is scored at a time, the one that began last. A chunk of an earlier session is refused while the
later one sends; after :data:`LIVE_MS` without it, the earlier one may continue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from processors.core.models.model import ModelSet
from processors.core.windowing.segment import Segment
from schemas.chunk import Chunk
from schemas.errors import MalformedHeader, SupersededSession, WrongChannelCount, WrongSampleRate

LIVE_MS = 10_000
"""A session that has sent nothing for longer, by the broker's clock, is over if another one sends."""
_SAME_BEGIN_NS = 1_000_000_000
_SECOND_NS = 1_000_000_000


class Arrival(Enum):
    """How a chunk relates to the chunks its device sent before."""

    NEXT = "next"
    FIRST = "first"
    REUSED = "reused"
    GAP = "gap"
    DUPLICATE = "duplicate"


@dataclass(slots=True)
class DeviceStream:
    """The stream of one device.

    Attributes:
        device_id: the device.
        model_set: the models it runs.
        sample_rate: as the device's manifest says, Hz; None where there is no manifest.
        announced_ns: time of that manifest; audio captured before it only has to match its session's rate.
        models_revision: the revision ``model_set`` was resolved for; set and read by the caller.
        detectors: those it runs; one without a model yet has no entry in ``model_set``.
        segment: the current unbroken run; None before the first chunk.
        missing: samples per channel that the last gap left out.
    """

    device_id: str
    model_set: ModelSet
    sample_rate: int | None = None
    announced_ns: int = 0
    models_revision: object = None
    detectors: tuple[str, ...] = ()
    segment: Segment | None = None
    missing: int = 0
    _closed: list[tuple[Segment, str]] = field(default_factory=list)
    _session_id: str = ""
    _begin_ns: int = 0
    _heard_ms: int = 0
    _captured_ns: int = 0
    _sequence: int = -1
    _end_sample: int = 0
    _channels: int = 0

    def admit(self, chunk: Chunk, broker_ms: int = 0) -> Arrival:
        """Prepares ``segment`` for a chunk, which the caller pushes there unless it is a duplicate; further chunks may
        be admitted before the push.

        A session whose numbering begins again later than its last chunk was captured is a restarted producer's:
        ``REUSED``, a new segment. A duplicate repeats the time of what it repeats.

        Args:
            chunk: the device's next.
            broker_ms: broker time of its record, milliseconds since 1970.

        Raises:
            SupersededSession: of another session than the one that sends and began later.
            WrongSampleRate: not the rate of the manifest or of the session.
            WrongChannelCount: not the session's.
            MalformedHeader: a later sequence number with earlier samples.
        """
        announced = self.sample_rate is not None and chunk.captured_ns >= self.announced_ns
        if announced and chunk.sample_rate != self.sample_rate:
            raise WrongSampleRate(
                f"{chunk.sample_rate} Hz; the manifest of {self.device_id!r} says {self.sample_rate} Hz: announce the"
                " device again or send at its rate"
            )
        segment = self.segment
        if segment is None or chunk.session_id != segment.session_id:
            self._refuse_superseded(chunk, broker_ms)
            self.close("session_end")
            return self._start_segment(chunk, Arrival.FIRST, broker_ms)
        if chunk.sequence <= self._sequence:
            if chunk.captured_ns <= self._captured_ns or chunk.first_sample >= self._end_sample:
                return Arrival.DUPLICATE
            self.close("session_end")
            return self._start_segment(chunk, Arrival.REUSED, broker_ms)
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
                f"ce_firstsample {chunk.first_sample} of sequence {chunk.sequence} is before sample"
                f" {self._end_sample}, which was already received: keep counting samples, or begin a new session"
            )
        if chunk.first_sample > self._end_sample:
            self.missing = chunk.first_sample - self._end_sample
            self.close("gap")
            return self._start_segment(chunk, Arrival.GAP, broker_ms)
        self._advance(chunk, broker_ms)
        return Arrival.NEXT

    def set_models(self, model_set: ModelSet) -> None:
        """Continues with other models, see :meth:`Segment.set_models`."""
        self.model_set = model_set
        if self.segment is not None:
            self.segment.set_models(model_set)

    def set_detectors(self, detectors: tuple[str, ...], model_set: ModelSet) -> None:
        """Continues with other detectors and their models."""
        self.detectors = detectors
        self.set_models(model_set)

    def close(self, reason: str) -> None:
        """Ends the segment: what waits for the rest of its window is skipped, for this reason."""
        if self.segment is not None:
            self._closed.append((self.segment, reason))
            self.segment = None

    def take_closed(self) -> list[tuple[Segment, str]]:
        """Segments that ended since the last call, each with the reason."""
        closed, self._closed = self._closed, []
        return closed

    def _refuse_superseded(self, chunk: Chunk, broker_ms: int) -> None:
        if chunk.session_id == self._session_id or not self._session_id or broker_ms - self._heard_ms > LIVE_MS:
            return
        begin_ns = _begin_ns(chunk)
        if abs(begin_ns - self._begin_ns) <= _SAME_BEGIN_NS:
            # Producers that began together cannot be told apart by time: in the end the larger id keeps the device.
            supersedes = chunk.sequence == 0 or chunk.session_id > self._session_id
        else:
            supersedes = begin_ns > self._begin_ns
        if supersedes:
            return
        raise SupersededSession(
            f"session {chunk.session_id!r} of {chunk.device_id!r} began before session {self._session_id!r}, which is"
            " sending: two producers use this device id; stop one, or give it an id of its own"
        )

    def _start_segment(self, chunk: Chunk, arrival: Arrival, broker_ms: int) -> Arrival:
        self.segment = Segment(self.device_id, chunk.session_id, chunk.sample_rate, chunk.first_sample, self.model_set)
        self._channels = chunk.channels
        if arrival is not Arrival.GAP:
            self._begin_ns, self._captured_ns = _begin_ns(chunk), 0
        self._session_id = chunk.session_id
        self._advance(chunk, broker_ms)
        return arrival

    def _advance(self, chunk: Chunk, broker_ms: int) -> None:
        self._sequence = chunk.sequence
        self._end_sample = chunk.end_sample
        self._captured_ns = max(self._captured_ns, chunk.captured_ns)
        self._heard_ms = broker_ms


def _begin_ns(chunk: Chunk) -> int:
    """Capture time of the session's sample 0, nanoseconds since 1970."""
    return chunk.captured_ns - chunk.first_sample * _SECOND_NS // chunk.sample_rate
