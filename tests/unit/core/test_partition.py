"""A partition's offsets: what may be committed, and when an idle device is dropped."""

from __future__ import annotations

import numpy as np
import pytest

import processors.core.offsets.partition as partition_module
from processors.core.offsets.partition import HOLD_MS, HOLD_RECORDS, IDLE_MS, Partition
from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.extraction import Extractor
from schemas.chunk import Chunk
from schemas.features import FeatureSpec
from schemas.topics import AUDIO
from schemas.unfinished import UnfinishedSegment

from .models import model_set

SPECS = {"machine": FeatureSpec(n_frames=24, window_hop=12)}
SAMPLES = 4_000


def chunk(device: str, number: int) -> Chunk:
    pcm = np.zeros(SAMPLES, np.int16).tobytes()
    return Chunk(device, "s", number, number * SAMPLES, 16_000, 1, 0, pcm)


class Feed:
    """Feeds chunks of several devices into one partition."""

    def __init__(self) -> None:
        self.partition: Partition[int] = Partition()
        self.extractor = Extractor()
        self.offset = 0

    def take(self, item: Chunk | None, at_ms: int = 0) -> list[int]:
        self.partition.append(self.offset, at_ms, self.offset)
        if item is not None:
            stream = self.partition.stream(item.device_id) or DeviceStream(item.device_id, model_set(SPECS))
            stream.admit(item)
            self.partition.track(stream, at_ms)
            assert stream.segment is not None
            self.extractor.extract([(stream.segment, item, self.offset)])
        self.offset += 1
        return self.partition.release()


def test_records_without_sound_are_released_at_once() -> None:
    feed = Feed()

    assert [feed.take(None) for _ in range(3)] == [[0], [1], [2]]


def test_the_slowest_device_holds_the_frontier_back() -> None:
    feed = Feed()
    released = feed.take(chunk("slow", 0))
    for number in range(8):
        released += feed.take(chunk("fast", number))

    assert released == []

    for number in range(1, 8):
        released += feed.take(chunk("slow", number))
    frontiers = [device.stream.segment.frontier() for device in feed.partition.devices.values()]
    assert released == list(range(min(frontier for frontier in frontiers if frontier is not None)))
    assert released


def test_released_offsets_are_a_prefix_in_order() -> None:
    feed, released = Feed(), []
    for number in range(20):
        for device in ("a", "b", "c"):
            released += feed.take(chunk(device, number))

    assert released == list(range(len(released)))
    assert len(released) > 40


def test_a_silent_device_holds_the_frontier_until_its_unfinished_segment_is_stored() -> None:
    feed = Feed()
    released = [*feed.take(chunk("silent", 0)), *feed.take(chunk("silent", 1))]
    released += feed.take(None, at_ms=HOLD_MS)
    assert (released, feed.partition.overdue()) == ([], [])

    feed.take(None, at_ms=HOLD_MS + 1)
    (segment,) = feed.partition.overdue()
    assert (segment.device_id, segment.offsets, segment.end_sample) == ("silent", (0, 1), 2 * SAMPLES)
    assert feed.partition.release() == [], "before it is stored nothing may pass"

    feed.partition.store(segment)
    assert feed.partition.overdue() == []
    assert feed.partition.release() == [0, 1, 2, 3]


def test_a_device_that_sends_too_little_to_complete_a_window_does_not_hold_the_frontier_either() -> None:
    feed, released, lag = Feed(), [], 0
    for number in range(200):
        slow = Chunk("slow", "s", number, number, 16_000, 1, 0, np.zeros(1, np.int16).tobytes())
        released += feed.take(slow, at_ms=number * 1_000)
        for segment in feed.partition.overdue():
            feed.partition.store(segment)
        released += feed.partition.release()
        lag = max(lag, feed.partition.lag_ms)

    assert len(released) > 190
    assert lag <= HOLD_MS
    assert feed.partition.unfinished["slow"].offsets[0] == 0, "and none of its sound is forgotten"


def test_records_are_bounded_where_the_brokers_clock_stands_still() -> None:
    feed = Feed()
    feed.take(chunk("silent", 0))
    for _ in range(HOLD_RECORDS + 1):
        feed.take(None)

    (segment,) = feed.partition.overdue()
    feed.partition.store(segment)
    assert len(feed.partition.release()) == HOLD_RECORDS + 2


def test_a_device_without_a_model_holds_nothing() -> None:
    feed = Feed()
    feed.partition.track(DeviceStream("deaf", {}), 0)

    assert [feed.take(chunk("deaf", number), at_ms=number) for number in range(3)] == [[0], [1], [2]]


def test_a_window_that_needs_more_chunks_than_a_record_names_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_module, "MAX_CHUNKS", 20)
    feed = Feed()
    for number in range(21):
        tiny = Chunk("tiny", "s", number, number, 192_000, 1, 0, np.zeros(1, np.int16).tobytes())
        feed.take(tiny)
    feed.take(None, at_ms=HOLD_MS + 1)

    assert (feed.partition.overdue(), feed.partition.given_up) == ([], 1)
    assert len(feed.partition.release()) == 22


def test_an_idle_stream_leaves_the_memory_and_its_stored_segment_stays_until_its_sound_is_deleted() -> None:
    feed = Feed()
    feed.take(chunk("silent", 0))
    feed.take(None, at_ms=HOLD_MS + 1)
    for segment in feed.partition.overdue():
        feed.partition.store(segment)

    feed.take(None, at_ms=IDLE_MS + 1)
    assert feed.partition.devices == {}
    assert feed.partition.continued(chunk("silent", 1), offset=9) == [0]
    assert feed.partition.continued(chunk("silent", 2), offset=9) == [], "a gap: nothing to continue"

    feed.take(None, at_ms=AUDIO.retention_ms + 1)
    assert feed.partition.unfinished == {}


def test_of_two_stored_segments_the_one_with_the_newer_sound_counts() -> None:
    """A worker that was stopped and woke up may store an old one late."""
    partition: Partition[int] = Partition(3)
    segments = [
        UnfinishedSegment.of(
            device_id="d", session_id="s", partition=number, offsets=(1, last), end_sample=9, broker_ms=1
        )
        for number, last in ((3, 50), (3, 40), (4, 60))
    ]

    for segment in segments:
        partition.restore(segment)

    assert partition.unfinished == {"d": segments[0]}


def test_streams_longest_silent_leave_the_memory_once_their_segments_are_stored() -> None:
    feed = Feed()
    for device in ("old", "middle", "new"):
        feed.take(chunk(device, 0))
    one = feed.partition.size_bytes // 3
    assert one > 6_000

    feed.partition.shrink(2 * one)
    segments = feed.partition.overdue()
    assert {segment.device_id for segment in segments} == {"old", "middle"}
    for segment in segments:
        feed.partition.store(segment)
    feed.partition.release()

    assert (list(feed.partition.devices), feed.partition.size_bytes) == (["new"], one)
    assert feed.partition.continued(chunk("old", 1), offset=9) == [0]


def test_stored_segments_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_module, "MAX_STORED", 3)
    partition: Partition[int] = Partition()
    for number in range(5):
        partition.restore(
            UnfinishedSegment.of(
                device_id=f"d{number}", session_id="s", partition=0, offsets=(number,), end_sample=9, broker_ms=1
            )
        )

    assert list(partition.unfinished) == ["d2", "d3", "d4"]
