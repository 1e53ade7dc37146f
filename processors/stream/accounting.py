"""The accounting of a pipeline: what it does with sound and records, counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from processors.core.accounting.coverage import Settled
from processors.core.accounting.sound_counts import Outcome
from processors.core.accounting.stream_counts import StreamCounts
from processors.core.alerting.detector_state import Output
from processors.core.offsets.partition import Partition
from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.segment import Segment
from schemas.chunk import Chunk
from schemas.notice import Notice


class Accounting:
    """Counts what happens to chunks, segments and outputs.

    Args:
        counts: what is counted in.
        clock: seconds since 1970; for the time from capture to alert alone.
    """

    def __init__(self, counts: StreamCounts | None = None, clock: Callable[[], float] = time.time) -> None:
        self.counts = StreamCounts() if counts is None else counts
        self._clock = clock

    def received(self, chunk: Chunk) -> None:
        """A record was decoded."""
        self.counts.chunks += 1
        self._add(chunk, "received")

    def rejected(self, error: Exception, chunk: Chunk | None = None) -> None:
        """A record became a dead letter; ``chunk`` where it could be decoded."""
        reason = type(error).__name__
        self.counts.dead_letters[reason] += 1
        if chunk is not None:
            self._add(chunk, "refused", reason)

    def skipped(self, chunk: Chunk, reason: str) -> None:
        """A chunk is not scored, and is not a dead letter."""
        self._add(chunk, "skipped", reason)

    def gap(self, chunk: Chunk, missing: int) -> None:
        """``missing`` samples before a chunk were never received."""
        self.counts.sound.add(chunk.device_id, "missing", chunk.sample_rate, missing)

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

    def sent(self, outputs: Sequence[Output], notices: Iterable[Notice] = ()) -> None:
        """Kafka has confirmed outputs, and notices beside them."""
        counts, now = self.counts, self._clock()
        for notice in chain(notices, *(output.notices for output in outputs)):
            counts.notices[notice.kind] += 1
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
