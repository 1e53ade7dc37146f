"""Reads the output back from Kafka and compares it with the expected output."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from processors.adapters.kafka.records import harden_consumers
from processors.core.alerting.detector_state import DetectorState, Output
from schemas.alert import Alert
from schemas.chunk import decode_chunk
from schemas.record import Record
from schemas.score import Score
from schemas.topics import ALERTS, AUDIO, SCORES, UNFINISHED, Topic
from schemas.unfinished import UnfinishedSegment

Window = tuple[str, str, str, int]


def place(score: Score) -> Window:
    return score.device_id, score.detector, score.session_id, score.first_sample


async def read_all(kafka: str, topic: str, only: set[str] | None = None) -> list[Any]:
    """All records of a topic now; those whose key is in ``only``."""
    harden_consumers()  # other tests send such to the same topics
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        exclude_internal_topics=False,
    )
    await consumer.start()
    try:
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found = []
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return [m for m in found if only is None or (m.key or b"").decode(errors="replace") in only]
    finally:
        await consumer.stop()


async def start_group_at_end(kafka: str, group: str, topic: Topic = AUDIO) -> None:
    """Lets a new group begin after what other tests have sent."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.commit(ends)
    finally:
        await consumer.stop()


@dataclass
class StreamOutput:
    """Records of a fleet's devices on the scores and alerts topics.

    Attributes:
        scores: score records by window; several if it was sent again.
        alerts: alert records by event id.
    """

    scores: dict[Window, list[Score]] = field(default_factory=lambda: defaultdict(list))
    alerts: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))


async def read_output(kafka: str, devices: set[str]) -> StreamOutput:
    result = StreamOutput()
    for message in await read_all(kafka, SCORES.name, devices):
        score = Score.from_record(Record(message.key, message.value, tuple(message.headers)))
        result.scores[place(score)].append(score)
    for message in await read_all(kafka, ALERTS.name, devices):
        alert = Alert.from_record(Record(message.key, message.value, tuple(message.headers)))
        result.alerts[alert.event_id()].append(message.value)
    return result


async def wait_for(kafka: str, expected: list[Output], timeout: float = 120.0) -> StreamOutput:
    """The output, once every expected window has a score."""
    devices = {output.score.device_id for output in expected}
    wanted = {place(output.score) for output in expected}
    deadline = time.monotonic() + timeout
    while True:
        result = await read_output(kafka, devices)
        missing = wanted - result.scores.keys()
        if not missing:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(missing)} of {len(wanted)} windows are missing, such as {sorted(missing)[:3]}")
        await asyncio.sleep(1.0)


def assert_same(result: StreamOutput, expected: list[Output]) -> None:
    """Exactly the expected windows and alerts; scores within 1e-5; repeated alerts are identical."""
    wanted = {place(output.score): output.score for output in expected}
    assert result.scores.keys() == wanted.keys()
    for window, scores in result.scores.items():
        for score in scores:
            tolerance = 1e-5 * max(1.0, abs(wanted[window].score))
            assert abs(score.score - wanted[window].score) <= tolerance, (window, score.score, wanted[window].score)
    ids = {output.alert.event_id() for output in expected if output.alert is not None}
    assert result.alerts.keys() == ids
    for event_id, versions in result.alerts.items():
        assert len(set(versions)) == 1, f"alert {event_id} was sent with different content: {set(versions)}"


def assert_same_state(state: DetectorState, wanted: DetectorState) -> None:
    """The same observed windows and the same thresholds, within 1e-4: scores differ in their last digits."""
    assert state.position == wanted.position
    assert state.lifecycle.raised == wanted.lifecycle.raised
    assert (state.lifecycle.alert is None) == (wanted.lifecycle.alert is None)
    assert state.current_model is not None
    assert wanted.current_model is not None
    assert state.current_model.sha256 == wanted.current_model.sha256
    got, want = state.current_model.block_state, wanted.current_model.block_state
    assert (got.block.observed_ns, got.block.block_ns, got.episodes.last_number) == (
        want.block.observed_ns, want.block.block_ns, want.episodes.last_number
    )  # fmt: skip
    for one, other in zip(got.limits[:4], want.limits[:4], strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-4)


async def commits(kafka: str, group: str) -> list[tuple[int, int, int]]:
    """Every commit of a group on the audio topic, from ``__consumer_offsets``: (partition, offset, append time ms)."""
    found = []
    for message in await read_all(kafka, "__consumer_offsets"):
        if message.key is None or message.value is None:
            continue
        (version,) = struct.unpack_from(">h", message.key)
        if version not in (0, 1):
            continue
        name, at = _text(message.key, 2)
        topic, at = _text(message.key, at)
        (partition,) = struct.unpack_from(">i", message.key, at)
        (offset,) = struct.unpack_from(">q", message.value, 2)
        if (name, topic) == (group, AUDIO.name):
            found.append((partition, offset, message.timestamp))
    return found


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


async def assert_no_commit_passed_an_unscored_window(
    kafka: str, group: str, expected: list[Output], devices: set[str]
) -> int:
    """Holds every commit against the broker's time of the outputs; returns how many commits were checked.

    Past the beginning of a window whose end is not committed, one may go where the chunk is named by a segment stored
    before.
    """
    first_out: dict[Window, int] = {}
    for message in await read_all(kafka, SCORES.name, devices):
        score = Score.from_record(Record(message.key, message.value, tuple(message.headers)))
        first_out[place(score)] = min(message.timestamp, first_out.get(place(score), message.timestamp))
    stored: dict[tuple[str, int], int] = {}
    for message in await read_all(kafka, UNFINISHED.name, devices):
        segment = UnfinishedSegment.from_record(Record(message.key, message.value, tuple(message.headers)))
        for offset in segment.offsets:
            stored.setdefault((segment.device_id, offset), message.timestamp)
    where: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for message in await read_all(kafka, AUDIO.name, devices):
        chunk = decode_chunk(Record(message.key, message.value, tuple(message.headers)))
        where[chunk.device_id, chunk.session_id].append((chunk.first_sample, message.partition, message.offset))
    windows: dict[int, list[tuple[int, int, int, Window]]] = defaultdict(list)
    for output in expected:
        score = output.score
        chunks = where[score.device_id, score.session_id]
        _, partition, offset = max(c for c in chunks if c[0] <= score.first_sample)
        _, _, last = max(c for c in chunks if c[0] < score.end_sample)
        windows[partition].append((offset, last, first_out[place(score)], place(score)))
    checked = 0
    for partition, committed, at in await commits(kafka, group):
        checked += 1
        for offset, last, out, window in windows[partition]:
            is_stored = last >= committed and stored.get((window[0], offset), at + 1) <= at
            assert offset >= committed or out <= at or is_stored, (
                f"partition {partition}: {committed} committed at {at}; {window} at {offset} came out at {out}"
            )
    return checked
