"""A partition's states are known to be whole, or are read back from the log before anything is decided."""

from __future__ import annotations

from collections.abc import Sequence

from processors.adapters.kafka.score_log import MemoryScoreLog
from processors.adapters.redis.state_store import MemoryStates, StateKey
from processors.core.alerting.decision import ScoredWindow
from processors.core.alerting.detector_state import DetectorState, Output
from processors.stream.rebuild import StateRebuild
from processors.stream.states import States
from schemas.errors import RedisUnavailable
from tests.unit.core.scored_windows import HOP, context_of, decision_context, observed_s, window

KEY = ("d1", "machine")


class Store(MemoryStates):
    """A store that can be unavailable."""

    unavailable = False

    async def load(self, keys: Sequence[StateKey]) -> dict[StateKey, DetectorState]:
        if self.unavailable:
            raise RedisUnavailable("unavailable")
        return await super().load(keys)

    async def mark(self, partition: int) -> str | None:
        if self.unavailable:
            raise RedisUnavailable("unavailable")
        return await super().mark(partition)

    def flush(self) -> None:
        self.states.clear()
        self.marks.clear()


class Worker:
    """A worker's states, sending to a log."""

    def __init__(self, store: MemoryStates, log: MemoryScoreLog) -> None:
        self.now = 0.0
        self.log = log
        self.states = States(store, lambda: self.now, StateRebuild(log, lambda _: decision_context(), lambda *_: ()))

    async def handle(self, windows: Sequence[ScoredWindow]) -> list[Output]:
        outputs = await self.states.apply(context_of, windows)
        for output in outputs:
            self.states.sent({3: self.log.append(3, output.logged())})
        self.now += 1.1
        return outputs


def windows(first: int, last: int, score: float = 0.0, device: str = "d1") -> list[ScoredWindow]:
    return [window(index, score, device=device) for index in range(first, last)]


async def test_a_takeover_reads_the_log_from_the_mark_on() -> None:
    store, log = Store(), MemoryScoreLog()
    worker = Worker(store, log)
    for index in range(10):
        await worker.handle(windows(index, index + 1))

    await Worker(store, log).handle(windows(10, 11))

    assert log.reads == [(3, None), (3, 9)]
    assert observed_s(store.states[KEY]) == 11


async def test_a_flush_in_mid_run_is_noticed_although_the_devices_lost_are_silent() -> None:
    store, log = Store(), MemoryScoreLog()
    worker = Worker(store, log)
    await worker.handle(windows(0, 20))
    await worker.handle(windows(20, 26, 9.0))
    worker.states.forget()
    await worker.handle(windows(0, 1, device="d2"))
    store.flush()

    await worker.handle(windows(1, 2, device="d2"))
    await worker.handle(windows(2, 3, device="d2"))

    assert store.states[KEY].lifecycle.alert is not None
    outputs = await worker.handle(windows(26, 36))
    assert [one.alert.state for one in outputs if one.alert is not None] == ["closed"]


async def test_a_state_missing_after_a_flush_is_not_taken_for_a_new_device() -> None:
    store, log = Store(), MemoryScoreLog()
    worker = Worker(store, log)
    await worker.handle(windows(0, 20))
    worker.states.forget()
    await worker.handle(windows(0, 1, device="d2"))
    store.flush()

    await worker.handle(windows(20, 21))

    assert observed_s(store.states[KEY]) == 21


async def test_what_a_store_missed_because_it_was_full_is_read_from_the_log_by_the_next_owner() -> None:
    store, log = Store(), MemoryScoreLog()
    worker = Worker(store, log)
    await worker.handle(windows(0, 20))
    kept = dict(store.states), dict(store.marks)
    await worker.handle(windows(20, 26, 9.0))
    store.states, store.marks = kept

    outputs = await Worker(store, log).handle(windows(24, 40))

    assert [one.alert.state for one in outputs if one.alert is not None][-1] == "closed"
    assert "opened" not in [one.alert.state for one in outputs if one.alert and one.score.first_sample >= 26 * HOP]


async def test_thresholds_stored_before_an_outage_replace_those_rebuilt_without_the_store() -> None:
    store, log = Store(), MemoryScoreLog()
    await Worker(store, log).handle(windows(0, 30))
    # Older scores are gone from the log: without the store less is known.
    log.scores[3] = log.scores[3][20:]
    store.marks[3] = "10:another"
    store.unavailable = True
    worker = Worker(store, log)
    await worker.handle(windows(30, 32))
    assert worker.states.degraded

    store.unavailable = False
    worker.now += 2.0
    await worker.handle(windows(32, 34))

    assert observed_s(store.states[KEY]) == 34
    assert worker.states.degraded_s > 1.0
    assert worker.states.rebuilds == 2


async def test_an_alert_older_than_the_scores_that_are_read_stays_open() -> None:
    store, log = Store(), MemoryScoreLog()
    worker = Worker(store, log)
    await worker.handle(windows(0, 20))
    await worker.handle(windows(20, 24, 9.0))
    store.flush()
    log.scores[3] = []

    outputs = await Worker(store, log).handle(windows(24, 60))

    states = [one.alert.state for one in outputs if one.alert is not None]
    assert "opened" not in states
    assert states[-1] == "closed"


async def test_revoked_partitions_are_not_decided() -> None:
    store, log = Store(), MemoryScoreLog()
    worker = Worker(store, log)

    class Revoking(StateRebuild):
        async def read(self, *_: object) -> None:
            worker.states.forget()

    worker.states._rebuild = Revoking(log, lambda _: None, lambda *_: ())

    assert await worker.handle(windows(0, 5)) == []
    assert store.states == {}


async def test_states_are_stored_after_an_outage_although_no_device_sounds_any_more() -> None:
    store, log = Store(), MemoryScoreLog()
    await Worker(store, log).handle(windows(0, 10))
    worker = Worker(store, log)
    store.unavailable = True
    await worker.handle(windows(10, 12))
    await worker.states.catch_up()
    assert observed_s(store.states[KEY]) == 10

    store.unavailable = False
    worker.now += 2.0
    await worker.states.catch_up()

    assert observed_s(store.states[KEY]) == 12
    assert not worker.states.degraded
    assert str(store.marks[3]).startswith("12:")
