"""A partition's offsets: what may be committed, and when an idle device is dropped."""

from __future__ import annotations

import numpy as np

from processors.core.offsets.partition import IDLE_MS, Partition
from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.extraction import Extractor
from schemas.chunk import Chunk
from schemas.features import FeatureSpec

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
            stream = self.partition.stream(item.device_id, at_ms) or DeviceStream(item.device_id, model_set(SPECS))
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


def test_an_idle_device_is_dropped_by_the_brokers_clock() -> None:
    feed = Feed()
    feed.take(chunk("silent", 0), at_ms=1_000)

    assert feed.take(None, at_ms=1_000 + IDLE_MS) == []
    assert feed.take(None, at_ms=1_001 + IDLE_MS) == [0, 1, 2]


def test_a_device_back_after_idling_begins_a_new_segment_with_or_without_a_restart() -> None:
    """Released records are not read again, so they must not be needed again."""
    feed = Feed()
    feed.take(chunk("d", 0), at_ms=0)

    assert feed.partition.stream("d", IDLE_MS) is not None
    assert feed.partition.stream("d", IDLE_MS + 1) is None


def test_a_device_too_slow_to_complete_a_window_is_dropped_as_well() -> None:
    feed, released = Feed(), []
    for number in range(40):
        pcm = np.zeros(1, np.int16).tobytes()
        slow = Chunk("slow", "s", number, number, 16_000, 1, 0, pcm)
        released += feed.take(slow, at_ms=number * IDLE_MS // 4)

    assert len(released) > 30
