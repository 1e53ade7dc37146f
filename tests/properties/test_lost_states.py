"""Whatever the store loses and whichever worker dies where: alerts and scores are those of an undisturbed run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adapters.kafka.score_log import MemoryScoreLog
from processors.adapters.redis.state_store import Change, MemoryStates, StateKey
from processors.core.alerting.decision import ScoredWindow
from processors.core.alerting.detector_state import DetectorState, Output
from processors.stream.rebuild import StateRebuild
from processors.stream.states import States
from schemas.errors import RedisUnavailable
from schemas.score import Score
from tests.unit.core.scored_windows import context_of, decision_context, window

DEVICES = ("d1", "d2", "d3")
BATCH = 4
_NOISE = np.random.default_rng(5).normal(0.0, 0.2, (3, 96))
_LOUD = {0: [*range(20, 30), *range(60, 70)], 1: [*range(25, 40)], 2: [*range(50, 92)]}


def windows(start: int) -> list[ScoredWindow]:
    """A batch of every device; the third falls silent for a while, and has a second session."""
    found = []
    for number, device in enumerate(DEVICES):
        for index in range(start, start + BATCH):
            if number == 2 and 30 <= index < 45:
                continue
            score = 9.0 if index in _LOUD[number] else float(_NOISE[number, index])
            session = "s2" if number == 1 and index >= 48 else "s"
            found.append(window(index, score, session, device=device))
    return found


class FaultyStore(MemoryStates):
    """A store that can be unavailable, refuse writes, or store and not answer."""

    state = "well"

    async def load(self, keys: Sequence[StateKey]) -> dict[StateKey, DetectorState]:
        self._read()
        return await super().load(keys)

    async def store(self, changes: Sequence[Change]) -> dict[StateKey, DetectorState]:
        self._read()
        if self.state == "full":
            raise RedisUnavailable("full")
        refused = await super().store(changes)
        if self.state == "late":
            raise RedisUnavailable("too late")
        return refused

    async def mark(self, partition: int) -> str | None:
        self._read()
        return await super().mark(partition)

    async def replace_mark(self, partition: int, base: str | None, mark: str) -> bool:
        self._read()
        if self.state == "full":
            raise RedisUnavailable("full")
        return await super().replace_mark(partition, base, mark)

    def _read(self) -> None:
        if self.state == "away":
            raise RedisUnavailable("away")

    def flush(self) -> None:
        self.states.clear()
        self.marks.clear()


class World:
    """Two workers, one at a time the owner of the partition, and what they have sent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store, self.log = FaultyStore(), MemoryScoreLog()
        self.scores: dict[str, list[bytes]] = {}
        self.alerts: dict[str, list[bytes]] = {}
        self.workers = [self._new_worker(), self._new_worker()]
        self.owner = 0

    def _new_worker(self) -> States:
        rebuild = StateRebuild(self.log, lambda _: decision_context(), lambda *_: ())
        return States(self.store, lambda: self.now, rebuild)

    def rebalance(self) -> None:
        for worker in self.workers:
            worker.forget()
        self.owner = 1 - self.owner

    def kill(self) -> None:
        self.workers[self.owner] = self._new_worker()
        self.rebalance()

    async def handle(self, start: int, dies: str) -> bool:
        """Handles a batch; returns False where the worker dies in it."""
        worker = self.workers[self.owner]
        outputs = await worker.apply(context_of, windows(start))
        if dies == "before sending":
            return False
        half = len(outputs) // 2
        for number, output in enumerate(outputs):
            if dies == "sending scores" and number == half:
                return False
            record = output.logged()
            end = self.log.append(3, record)
            self.scores.setdefault(record.event_id(), []).append(record.to_record().value or b"")
        for number, output in enumerate(outputs):
            if dies == "sending alerts" and number >= half:
                return False
            if output.alert is not None:
                self.alerts.setdefault(output.alert.event_id(), []).append(output.alert.to_record().value or b"")
        if outputs:
            worker.sent({3: end})
        return True


async def run(schedule: dict[int, list[str]]) -> World:
    world = World()
    for start in range(0, 96, BATCH):
        dies = ""
        for event in schedule.get(start // BATCH, []):
            if event in ("away", "full", "late", "well"):
                world.store.state = event
            elif event == "flush":
                world.store.flush()
            elif event == "rebalance":
                world.rebalance()
            else:
                dies = event
        if not await world.handle(start, dies):
            world.kill()
            assert await world.handle(start, "")
        world.now += 0.7
    return world


def content(sent: dict[str, list[bytes]]) -> dict[str, bytes]:
    """What was sent, each once; repeats are equal byte for byte."""
    assert {key: versions for key, versions in sent.items() if len(set(versions)) > 1} == {}
    return {key: versions[0].replace(b'"degraded":true', b'"degraded":false') for key, versions in sent.items()}


EVENTS = st.sampled_from(
    ["flush", "rebalance", "away", "full", "late", "well", "before sending", "sending scores", "sending alerts"]
)
CALM = asyncio.run(run({}))


@settings(max_examples=40, deadline=None)
@given(schedule=st.dictionaries(st.integers(0, 23), st.lists(EVENTS, max_size=3), max_size=10))
def test_alerts_and_scores_are_those_of_an_undisturbed_run(schedule: dict[int, list[str]]) -> None:
    world = asyncio.run(run(schedule))

    assert content(world.scores) == content(CALM.scores)
    assert content(world.alerts) == content(CALM.alerts)


def test_the_undisturbed_run_opens_and_closes_alerts() -> None:
    states = [Output.of_logged(Score.from_record(score.to_record())).alert for score in CALM.log.scores[3]]
    opened = [alert.alert_id for alert in states if alert is not None and alert.state == "opened"]
    closed = [alert.alert_id for alert in states if alert is not None and alert.state == "closed"]

    assert len(opened) == 3
    assert sorted(closed) == sorted(opened)
