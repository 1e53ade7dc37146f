"""The accounting of a pipeline: what it does with sound and records, counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import structlog

from processors.core.accounting.coverage import Settled
from processors.core.accounting.health_log import HealthLog
from processors.core.accounting.sound_counts import Outcome
from processors.core.accounting.stream_counts import StreamCounts
from processors.core.alerting.detector_state import Output
from processors.core.offsets.partition import Partition
from processors.core.windowing.device_stream import Arrival, DeviceStream
from processors.core.windowing.segment import Segment
from schemas.alert import Alert
from schemas.chunk import Chunk
from schemas.errors import SupersededSession
from schemas.health_notice import HealthKind, HealthNotice
from schemas.notice import Notice

_log = structlog.get_logger(__name__)


class Accounting:
    """Counts what happens to chunks, segments and outputs.

    Args:
        counts: what is counted in.
        clock: seconds since 1970; for the time from capture to alert alone.
    """

    def __init__(self, counts: StreamCounts | None = None, clock: Callable[[], float] = time.time) -> None:
        self.counts = StreamCounts() if counts is None else counts
        self._clock = clock
        self.health = HealthLog()

    def received(self, chunk: Chunk) -> None:
        """A record was decoded."""
        self.counts.chunks += 1
        self._add(chunk, "received")

    def rejected(self, error: Exception, partition: int, broker_ms: int, chunk: Chunk | None = None) -> None:
        """A record became a dead letter.

        Args:
            error: why.
            partition, broker_ms: of the record.
            chunk: in it; None where it could not be decoded.
        """
        reason = type(error).__name__
        self.counts.dead_letters[reason] += 1
        if chunk is None:
            text = f"records of partition {partition} are no chunks: read tocsin_error_message in the dead letters"
            self.health.report(f"partition-{partition}", "records_refused", broker_ms, f"{text}; the last: {reason}")
            return
        self._add(chunk, "refused", reason)
        kind: HealthKind = "concurrent_sessions" if isinstance(error, SupersededSession) else "refused"
        text = f"Sound of {chunk.device_id} is refused: {error}"
        self.health.report(chunk.device_id, kind, broker_ms, text, seconds=_seconds(chunk))

    def skipped(self, chunk: Chunk, reason: str) -> None:
        """A chunk is not scored, and is not a dead letter."""
        self._add(chunk, "skipped", reason)

    def arrived(self, chunk: Chunk, arrival: Arrival, stream: DeviceStream, broker_ms: int) -> None:
        """A chunk was admitted to its device's stream."""
        device_id = chunk.device_id
        if arrival is Arrival.DUPLICATE:
            self._add(chunk, "skipped", "duplicate")
        elif arrival is Arrival.GAP:
            _log.warning("gap", device=device_id, session=chunk.session_id, first_sample=chunk.first_sample)
            self.counts.sound.add(device_id, "missing", chunk.sample_rate, stream.missing)
            text = f"Sound of {device_id} is missing in session {chunk.session_id}: check its producer and its network"
            self.health.report(device_id, "gap", broker_ms, text, seconds=stream.missing / chunk.sample_rate)
        elif arrival is Arrival.REUSED:
            text = (
                f"{device_id} began again under the id of its last session, {chunk.session_id}: taken as a new session;"
                " its producer must choose a new id whenever it starts"
            )
            self.health.report(device_id, "session_reused", broker_ms, text)

    def now_ms(self) -> int:
        """The present, milliseconds since 1970."""
        return int(self._clock() * 1_000)

    def records_lost(self, partition: int, count: int) -> None:
        """Kafka has deleted records of a partition that were not read."""
        self.counts.records_lost += count
        text = (
            f"{count} records of partition {partition} were deleted unread: start more workers, or let the"
            " audio topic keep records for longer (retention.ms, retention.bytes)"
        )
        self.health.report(f"partition-{partition}", "records_lost", self.now_ms(), text, count=count)

    def silent(self, device_ids: Iterable[str]) -> None:
        """Devices have sent nothing for a while."""
        for device_id in device_ids:
            text = f"{device_id} sends nothing: check its producer, network and power; its open alerts close"
            self.health.report(device_id, "silent", self.now_ms(), text)

    def sound_again(self, device_ids: Iterable[str]) -> None:
        """Devices that were silent send again."""
        for device_id in device_ids:
            self.health.report(device_id, "sound_again", self.now_ms(), f"{device_id} sends again")

    def told(self, alerts: Iterable[Alert], notices: Iterable[HealthNotice]) -> None:
        """Kafka has confirmed what no window caused."""
        for alert in alerts:
            self.counts.alerts[alert.detector, alert.state] += 1
        for notice in notices:
            self.counts.notices[notice.kind] += 1

    def settle(self, segments: Iterable[Segment], streams: Iterable[DeviceStream]) -> None:
        """Counts the sound of segments and streams whose outcome has become final; each segment may come twice."""
        for segment in {id(segment): segment for segment in segments}.values():
            self._settled(segment, segment.settle(), "off_grid")
        for stream in streams:
            self.closed(stream)

    def closed(self, stream: DeviceStream) -> None:
        """Counts the rest of a stream's segments that have ended."""
        for segment, reason in stream.take_closed():
            self._settled(segment, segment.settle(all_of_it=True), reason)

    def forgotten(self, partitions: Iterable[Partition[Any]]) -> None:
        """Partitions are read again from their frontiers, by this worker or another."""
        for partition in partitions:
            for stream in (*(device.stream for device in partition.devices.values()), *partition.take_dropped()):
                stream.close("read_again")
                self.closed(stream)

    def sent(self, outputs: Sequence[Output], notices: Iterable[Notice | HealthNotice] = ()) -> None:
        """Kafka has confirmed outputs, and notices beside them."""
        counts, now = self.counts, self._clock()
        for notice in chain(notices, *(output.notices for output in outputs)):
            counts.notices[notice.kind] += 1
        if degraded := sum(output.score.degraded for output in outputs):
            self.counts.windows_degraded += degraded
            text = "Redis cannot be used: check it; the last known thresholds apply, devices without one raise no alert"
            self.health.report("store", "store_away", self.now_ms(), text, count=degraded)
        for output in outputs:
            score, alert = output.score, output.alert
            counts.windows[score.detector, score.stage] += 1
            if alert is not None:
                counts.alerts[alert.detector, alert.state] += 1
                if alert.state == "opened":
                    end_ns = score.captured_ns + score.n_samples * 1_000_000_000 // score.sample_rate
                    counts.capture_to_alert.observe(now - end_ns / 1e9)

    def _settled(self, segment: Segment, settled: Settled, reason: str) -> None:
        add, rate = self.counts.sound.add, segment.sample_rate
        add(segment.device_id, "scored", rate, settled.scored)
        add(segment.device_id, "skipped", rate, settled.unscored, reason if segment.has_models else "no_model")

    def _add(self, chunk: Chunk, outcome: Outcome, reason: str = "") -> None:
        self.counts.sound.add(chunk.device_id, outcome, chunk.sample_rate, chunk.n_samples, reason)


def _seconds(chunk: Chunk) -> float:
    return chunk.n_samples / chunk.sample_rate
