"""States: each window counts once, whichever worker writes and whether or not the store answers."""

from __future__ import annotations

from collections.abc import Sequence

from processors.adapters.redis.state_store import Change, MemoryStates, StateKey
from processors.core.alerting.decision import ScoredWindow
from processors.core.alerting.detector_state import DetectorState
from processors.stream.states import States
from schemas.errors import RedisUnavailable
from tests.unit.core.models import FakeModel
from tests.unit.core.scored_windows import HOP, MODEL, context_of, observed_s, window

KEY = ("d1", "machine")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class UnreliableStates(MemoryStates):
    """A store that can be unavailable."""

    def __init__(self) -> None:
        super().__init__()
        self.unavailable = False
        self.calls = 0

    async def load(self, keys: Sequence[StateKey]) -> dict[StateKey, DetectorState]:
        self._answer()
        return await super().load(keys)

    async def store(self, changes: Sequence[Change]) -> dict[StateKey, DetectorState]:
        self._answer()
        return await super().store(changes)

    def _answer(self) -> None:
        self.calls += 1
        if self.unavailable:
            raise RedisUnavailable("unavailable")


class LateStates(MemoryStates):
    """A store that stores, and whose answer comes too late."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False

    async def store(self, changes: Sequence[Change]) -> dict[StateKey, DetectorState]:
        refused = await super().store(changes)
        if self.slow:
            raise RedisUnavailable("too late")
        return refused


def windows(first: int, last: int, score: float = 0.0) -> list[ScoredWindow]:
    return [window(index, score) for index in range(first, last)]


async def test_another_worker_continues_from_the_stored_states() -> None:
    store = MemoryStates()
    await States(store).apply(context_of, windows(0, 5))

    await States(store).apply(context_of, windows(5, 9))

    assert observed_s(store.states[KEY]) == 9


async def test_a_worker_whose_state_is_outdated_counts_no_window_twice() -> None:
    store = MemoryStates()
    zombie, owner = States(store), States(store)
    await zombie.apply(context_of, windows(0, 5))
    await owner.apply(context_of, windows(3, 9))

    outputs = await zombie.apply(context_of, windows(5, 12))

    assert observed_s(store.states[KEY]) == 12
    # 5 to 8 stand in the owner's outbox: unconfirmed as far as anyone knows, so they are sent again.
    assert [o.score.first_sample // 16_000 for o in outputs] == list(range(5, 12))


async def test_without_the_store_scores_continue_as_degraded_and_are_stored_later() -> None:
    store, clock = UnreliableStates(), Clock()
    states = States(store, clock)
    await states.apply(context_of, windows(0, 10))
    store.unavailable = True
    lost = await states.apply(context_of, windows(10, 12))
    degraded = await states.apply(context_of, windows(12, 20))
    store.unavailable = False
    clock.now += 2.0
    back = await states.apply(context_of, windows(20, 22))

    later = await states.apply(context_of, windows(22, 23))
    assert states.degraded is False
    assert [o.score.degraded for o in [*lost, *degraded, *back, *later]] == [False] * 2 + [True] * 10 + [False]
    assert all(o.score.threshold is not None for o in degraded)
    assert observed_s(store.states[KEY]) == 23


async def test_a_device_that_fell_silent_in_an_outage_is_stored_with_the_next_batch_of_any_device() -> None:
    store, clock = UnreliableStates(), Clock()
    states = States(store, clock)
    await states.apply(context_of, windows(0, 12))
    store.unavailable = True
    await states.apply(context_of, windows(12, 20))
    store.unavailable, clock.now = False, 5.0
    assert observed_s(store.states[KEY]) == 12

    await states.apply(context_of, [window(0, 0.0, device="d2")])

    assert observed_s(store.states[KEY]) == 20
    calls = store.calls
    await states.apply(context_of, [window(1, 0.0, device="d2")])
    assert store.calls == calls + 1


async def test_a_worker_that_ends_after_an_outage_stores_its_backlog() -> None:
    store, clock = UnreliableStates(), Clock()
    states = States(store, clock)
    await states.apply(context_of, windows(0, 12))
    store.unavailable = True
    await states.apply(context_of, windows(12, 20))
    store.unavailable = False

    await states.confirm()

    assert observed_s(store.states[KEY]) == 20
    assert store.states[KEY].outbox == ()


async def test_an_unreachable_store_is_not_tried_again_at_once() -> None:
    store, clock = UnreliableStates(), Clock()
    states = States(store, clock)
    store.unavailable = True

    for index in range(20):
        await states.apply(context_of, windows(index, index + 1))

    assert store.calls == 1


async def test_a_store_that_lost_its_latest_writes_is_brought_up_to_date() -> None:
    store = MemoryStates()
    states = States(store)
    await states.apply(context_of, windows(0, 5))
    old = store.states[KEY]
    await states.apply(context_of, windows(5, 8))
    store.states[KEY] = old

    await states.apply(context_of, windows(8, 9))

    assert observed_s(store.states[KEY]) == 9


async def test_a_flushed_store_is_filled_again() -> None:
    store = MemoryStates()
    states = States(store)
    await states.apply(context_of, windows(0, 8))
    store.states.clear()

    await states.apply(context_of, windows(8, 9))

    assert observed_s(store.states[KEY]) == 9


async def test_forgetting_reads_the_store_again() -> None:
    store = MemoryStates()
    states, other = States(store), States(store)
    await states.apply(context_of, windows(0, 5))
    await other.apply(context_of, windows(5, 9))
    states.forget()

    outputs = await states.apply(context_of, windows(0, 5))

    assert outputs == []


async def test_a_worker_that_ends_in_order_leaves_nothing_to_repeat() -> None:
    store = MemoryStates()
    states = States(store)
    await states.apply(context_of, windows(0, 5))
    assert store.states[KEY].outbox

    await states.confirm()

    assert store.states[KEY].outbox == ()
    assert await States(store).apply(context_of, windows(3, 5)) == []
    assert observed_s(store.states[KEY]) == 5


async def test_a_new_session_begun_without_the_store_is_stored_when_it_is_back() -> None:
    store, clock = UnreliableStates(), Clock()
    states = States(store, clock)
    await states.apply(context_of, windows(0, 10))
    store.unavailable = True
    await states.apply(context_of, [window(index, 0.0, "s2") for index in range(4)])
    store.unavailable = False
    clock.now += 2.0

    await states.apply(context_of, [window(index, 0.0, "s2") for index in range(4, 6)])

    assert observed_s(store.states[KEY]) == 16


async def test_a_write_that_was_stored_but_not_answered_costs_no_decision() -> None:
    store, clock = LateStates(), Clock()
    states = States(store, clock)
    await states.apply(context_of, windows(0, 12))
    store.slow = True
    await states.apply(context_of, windows(12, 14))
    store.slow = False
    await states.apply(context_of, windows(14, 20, score=99.0))
    clock.now += 2.0
    outputs = await states.apply(context_of, windows(20, 30))

    alerts = [o.alert.state for o in outputs if o.alert is not None]
    assert alerts == ["closed"], "the alert opened during the outage was forgotten"
    assert store.states[KEY].position == (await store.load([KEY]))[KEY].position
    assert store.states[KEY].position is not None
    assert store.states[KEY].position.end_sample == 31 * HOP


async def test_an_outage_and_a_rebalance_together_forget_no_open_alert() -> None:
    store, clock = UnreliableStates(), Clock()
    states = States(store, clock)
    await states.apply(context_of, windows(0, 12))
    store.unavailable = True
    await states.apply(context_of, windows(12, 18, score=99.0))

    states.forget()

    outputs = await states.apply(context_of, windows(18, 24))
    assert [o.alert.state for o in outputs if o.alert is not None] == ["closed"]


OTHER = FakeModel("other", MODEL.spec)
SHADOW_KEY = ("d1", "machine~shadow")


async def test_shadows_have_states_of_their_own() -> None:
    store = MemoryStates()
    mine, theirs = windows(0, 5), [window(index, 1.0, model=OTHER, stage="shadow") for index in range(5)]

    outputs = await States(store).apply(context_of, [*mine, *theirs])

    assert {key: state.model_sha256 for key, state in store.states.items()} == {
        KEY: MODEL.sha256, SHADOW_KEY: OTHER.sha256
    }  # fmt: skip
    assert [output.score.stage for output in outputs] == ["champion"] * 5 + ["shadow"] * 5


async def test_a_worker_that_never_saw_the_shadow_promotes_it_with_its_calibration() -> None:
    store = MemoryStates()
    shadows = [window(index, 7.0 + 0.1 * (index % 2), model=OTHER, stage="shadow") for index in range(20)]
    await States(store).apply(context_of, [*windows(0, 20), *shadows])

    outputs = await States(store).apply(context_of, [window(20, 7.0, model=OTHER)])

    assert outputs[0].score.threshold is not None
    assert observed_s(store.states[KEY]) == 21
    assert store.states[KEY].model_sha256 == OTHER.sha256


async def test_a_change_of_model_costs_one_more_round_trip_once() -> None:
    store = UnreliableStates()
    states = States(store, Clock())
    await states.apply(context_of, windows(0, 5))
    assert store.calls == 2
    await states.apply(context_of, [window(5, 1.0, model=OTHER)])
    assert store.calls == 4
    await states.apply(context_of, [window(6, 1.0, model=OTHER)])
    assert store.calls == 5


async def test_a_model_changes_while_the_store_is_unavailable() -> None:
    store, clock = UnreliableStates(), Clock()
    states = States(store, clock)
    await states.apply(context_of, windows(0, 12))
    store.unavailable = True
    outputs = await states.apply(context_of, [window(index, 1.0, model=OTHER) for index in range(12, 24)])
    store.unavailable = False
    clock.now += 2.0
    await states.apply(context_of, [window(24, 1.0, model=OTHER)])

    assert all(output.score.degraded for output in outputs)
    assert (store.states[KEY].model_sha256, observed_s(store.states[KEY])) == (OTHER.sha256, 13)
