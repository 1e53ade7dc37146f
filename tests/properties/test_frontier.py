"""Devices that come and go, workers that end anywhere, outages: no window is lost, and commits trail by 5 s."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adapters.models.detectors import load_detectors
from processors.adapters.redis.state_store import MemoryStates
from processors.core.alerting.decision import ScoredWindow
from processors.core.models.assignments import ModelAssignments
from processors.core.offsets.partition import HOLD_MS
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.segment import Segment
from processors.stream.decision_contexts import DecisionContexts, NoPolicies
from processors.stream.delivery import Delivery
from processors.stream.pipeline import Pipeline
from processors.stream.states import States
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.features import FeatureSpec
from schemas.record import Record
from schemas.score import Score
from schemas.topics import Topic
from schemas.unfinished import UnfinishedSegment
from tests.unit.core.models import FakeModel, model_set
from tests.unit.processors.memory_log import MemoryLog

SPECS = {"machine": FeatureSpec(n_frames=60, window_hop=40), "scream": FeatureSpec(n_frames=12, window_hop=3)}
SAMPLES = 4_000
RATE = 16_000
PCM = np.random.default_rng(5).normal(0, 300, SAMPLES).astype("<i2").tobytes()
MINUTE_MS = 60_000

Window = tuple[str, str, int]
Fault = Literal["none", "restart", "send", "store", "sent"]


class WorkerEnds(Exception):
    """The worker ends here."""


class LevelScorer:
    """Scores a window by its level."""

    def __init__(self) -> None:
        self._extractor = Extractor()

    def score(
        self, arrivals: Sequence[tuple[Segment, Chunk, int]], partition_by_device: Mapping[str, int]
    ) -> list[ScoredWindow]:
        return [
            ScoredWindow(window, partition_by_device[window.device_id], window.level_dbfs, None)
            for window in self._extractor.extract(arrivals)
        ]


class Manifests:
    """Every device runs both detectors."""

    def get(self, device_id: str) -> Device:
        return Device(device_id=device_id, kind="machine", detectors=("machine", "scream"))

    async def catch_up(self) -> None: ...


@dataclass
class World:
    """One partition of the audio topic, its devices, and the worker that has it now."""

    log: MemoryLog = field(default_factory=MemoryLog)
    times_ms: list[int] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    store: MemoryStates = field(default_factory=MemoryStates)
    scored: list[Score] = field(default_factory=list)
    clock_ms: int = 1_000
    handed: int = 0
    committed: int = 0
    fault: Fault = "none"
    window_bytes: int = 10**9

    def __post_init__(self) -> None:
        self.log.store, self._store = self._storing, self.log.store  # type: ignore[method-assign]
        self.begin()

    def begin(self) -> None:
        """A worker begins at the commit."""
        self.handed, self.fault = self.committed, "none"
        self.pipeline = Pipeline(
            scorer=LevelScorer(),
            contexts=DecisionContexts(NoPolicies(), lambda _: "machine", "audio", load_detectors()),
            detectors=load_detectors(),
            feedback_of=lambda *_: (),
            states=States(self.store),
            manifests=Manifests(),
            model_sets=ModelAssignments({name: FakeModel(name, spec) for name, spec in SPECS.items()}),
            send=self._send,
            send_scores=self._send_scores,
            unfinished=self.log,
            executor=ThreadPoolExecutor(1),
            default_kind="machine",
            clock=lambda: self.clock_ms / 1_000,
            window_bytes=self.window_bytes,
        )

    async def _send(self, messages: Sequence[tuple[Topic, Record]]) -> None:
        pass

    async def _send_scores(self, scores: Sequence[tuple[int, Record]]) -> Mapping[int, int]:
        if self.fault == "send":
            raise WorkerEnds
        self.scored += [Score.from_record(record) for _, record in scores]
        if self.fault == "sent":
            raise WorkerEnds
        return {}

    async def _storing(self, segments: Sequence[UnfinishedSegment]) -> None:
        await self._store(segments)
        if self.fault == "store":
            raise WorkerEnds

    def chunk(self, device: str, number: int) -> Chunk:
        return Chunk(device, "s", number, number * SAMPLES, RATE, 1, number * 250_000_000, PCM)

    def produce(self, device: str) -> None:
        number = self.sequences.get(device, 0)
        self.sequences[device] = number + 1
        self.log.records[len(self.times_ms)] = encode_chunk(self.chunk(device, number))
        self.times_ms.append(self.clock_ms)

    def _delivery(self, offset: int) -> Delivery:
        def acknowledge() -> None:
            assert offset == self.committed, "in order, without a hole"
            self.committed = offset + 1

        return Delivery(0, offset, self.times_ms[offset], self.log.records[offset], acknowledge)

    async def handle(self, batch: int) -> None:
        """Handles all that was produced, in batches; a fault ends the worker, and another begins at the commit."""
        while self.handed < len(self.times_ms):
            end = min(self.handed + batch, len(self.times_ms))
            deliveries = [self._delivery(offset) for offset in range(self.handed, end)]
            self.handed = end
            try:
                await self.pipeline.handle(deliveries, lambda: True)
            except WorkerEnds:
                self.begin()
                continue
            if self.committed < end:
                assert self.times_ms[end - 1] - self.times_ms[self.committed] <= HOLD_MS
        if self.fault != "none":
            self.begin()

    def expected(self) -> set[Window]:
        """The windows of a calm run, from the core alone."""
        found = set()
        for device, count in self.sequences.items():
            segment, extractor = Segment(device, "s", RATE, 0, model_set(SPECS)), Extractor()
            windows = extractor.extract([(segment, self.chunk(device, number), number) for number in range(count)])
            found |= {(device, window.slot.detector, window.first_sample) for window in windows}
        return found

    def assert_whole(self) -> None:
        ids = {(score.device_id, score.detector, score.first_sample): score.event_id() for score in self.scored}
        assert ids.keys() == self.expected()
        assert {score.event_id() for score in self.scored} == set(ids.values())


step = st.tuples(
    st.lists(st.integers(0, 4), max_size=12),  # who sends, one after the other
    st.sampled_from([0, 250, 1_000, 4_000, 20_000, 6 * MINUTE_MS, 20 * MINUTE_MS]),  # then time passes
    st.sampled_from(["none", "none", "restart", "send", "store", "sent"]),
)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(step, min_size=1, max_size=14),
    batch=st.sampled_from([1, 3, 64]),
    window_bytes=st.sampled_from([1, 100_000, 10**9]),
)
def test_whatever_comes_and_goes_every_window_is_scored_and_commits_trail_by_seconds(
    steps: list[tuple[list[int], int, Fault]], batch: int, window_bytes: int
) -> None:
    async def run() -> None:
        world = World(window_bytes=window_bytes)
        for senders, pause_ms, fault in steps:
            world.fault = fault
            for sender in senders:
                world.produce(f"d{sender}")
                world.clock_ms += 50
            await world.handle(batch)
            world.clock_ms += pause_ms
        world.assert_whole()

    asyncio.run(run())


@pytest.mark.parametrize("minutes", [1, 6, 20, 300])
@pytest.mark.parametrize("restart", [False, True], ids=["same-worker", "new-worker"])
async def test_an_outage_is_not_a_devices_silence(minutes: int, restart: bool) -> None:
    """Producers hold their sound back while Kafka is away, and deliver it without a hole."""
    world = World()
    for _ in range(3):
        for _ in range(7):
            for device in ("a", "b", "c"):
                world.produce(device)
            world.clock_ms += 250
            await world.handle(1)
        world.clock_ms += minutes * MINUTE_MS
        world.produce("first-back")
        await world.handle(1)
        if restart:
            world.begin()

    world.assert_whole()
    assert world.log.segments, "the segments were stored"
    # Without a restart, streams leave the memory after five minutes; until then nothing is read again.
    assert (world.log.reads > 0) == (restart or minutes > 5)


async def test_a_partition_whose_devices_are_all_silent_is_committed_to_its_end() -> None:
    world = World()
    for _ in range(3):
        world.produce("a")
    await world.handle(64)
    world.clock_ms += HOLD_MS - 10
    await world.pipeline.settle(lambda: True)
    assert world.committed < 3

    world.clock_ms += 20
    await world.pipeline.settle(lambda: True)
    assert world.committed == 3

    world.begin()
    for _ in range(9):
        world.produce("a")
    await world.handle(64)
    world.assert_whole()


async def test_devices_that_come_and_go_leave_nothing_behind() -> None:
    world = World()
    for number in range(400):
        world.produce(f"d{number}")
        world.produce(f"d{number // 2}")
        world.clock_ms += 1_000
        await world.handle(4)
    assert world.times_ms[-1] - world.times_ms[world.committed] <= HOLD_MS

    partition = world.pipeline.partitions[0]
    assert len(partition.devices) < 2 * 310
    assert partition.pending < 16
    world.clock_ms += 7 * 60 * MINUTE_MS
    world.produce("last")
    await world.handle(1)
    assert (set(partition.devices), len(partition.unfinished)) == ({"last"}, 0)


async def test_sound_that_the_topic_has_deleted_is_given_up_and_the_stream_continues() -> None:
    world = World()
    for _ in range(3):
        world.produce("a")
    world.clock_ms += 6_000
    world.produce("b")
    await world.handle(64)
    for offset in range(3):
        del world.log.records[offset]
    world.begin()
    for _ in range(9):
        world.produce("a")
    await world.handle(64)

    assert world.log.reads == 3
    scored = {window for window in world.expected() if window[0] == "a" and window[2] >= 4 * SAMPLES}
    assert scored <= {(score.device_id, score.detector, score.first_sample) for score in world.scored}
