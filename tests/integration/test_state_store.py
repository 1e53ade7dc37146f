"""One contract suite for the state stores: in memory and the real Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import redis

from processors.adapters.redis.redis_states import RedisStates
from processors.adapters.redis.state_store import Change, MemoryStates, StateKey, StateStore
from processors.core.alerting.detector_state import DetectorState, ModelCalibration, Position
from processors.core.threshold.block_state import BlockAccumulator, BlockState
from processors.core.threshold.limits import Prior
from schemas.errors import RedisUnavailable, SettingsError
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[StateStore]:
    made: StateStore = MemoryStates() if request.param == "memory" else RedisStates(redis_url)
    yield made
    await made.close()


@pytest.fixture
def key() -> StateKey:
    return f"device-{uuid.uuid4().hex[:8]}", "machine"


def at(end_sample: int, session: str = "s1") -> Position:
    return Position(session_id=session, end_sample=end_sample)


def state(position: Position) -> DetectorState:
    memory = BlockState(block=BlockAccumulator(observed_ns=position.end_sample + 1, level=0.5))
    return DetectorState(
        position=position,
        current_model=ModelCalibration(
            sha256="0" * 64, block_state=memory, prior=Prior(min_threshold=0.25), false_alarms_per_week=1.0
        ),
    )


async def test_what_was_stored_is_loaded(store: StateStore, key: StateKey) -> None:
    assert await store.store([Change(key, None, state(at(5)))]) == {}

    assert await store.load([key, ("nobody", "machine")]) == {key: state(at(5))}


async def test_a_long_state_is_stored_compressed_and_an_uncompressed_one_is_read(redis_url: str, key: StateKey) -> None:
    client, store = redis.Redis.from_url(redis_url), RedisStates(redis_url)
    name = f"tocsin:state:v2:{key[0]}/{key[1]}"
    long = [state(at(end)).model_copy(update={"past_sessions": tuple(map(str, range(3_000)))}) for end in (5, 9)]
    text = long[0].model_dump_json()
    client.hset(name, mapping={"session_id": "s1", "end_sample": "5", "body": text})

    assert await store.load([key]) == {key: long[0]}
    assert await store.store([Change(key, at(5), long[1])]) == {}
    assert client.hstrlen(name, "body") < 8_192 < len(text)
    assert await store.load([key]) == {key: long[1]}
    assert await store.store([Change(key, at(3), state(at(4)))]) == {key: long[1]}
    client.close()
    await store.close()


async def test_a_writer_with_the_stored_version_wins(store: StateStore, key: StateKey) -> None:
    await store.store([Change(key, None, state(at(5)))])

    assert await store.store([Change(key, at(5), state(at(9)))]) == {}
    assert (await store.load([key]))[key] == state(at(9))


async def test_a_stale_writer_gets_the_stored_state(store: StateStore, key: StateKey) -> None:
    await store.store([Change(key, None, state(at(5)))])
    await store.store([Change(key, at(5), state(at(9)))])

    assert await store.store([Change(key, at(5), state(at(8)))]) == {key: state(at(9))}
    assert await store.store([Change(key, None, state(at(1)))]) == {key: state(at(9))}
    assert (await store.load([key]))[key] == state(at(9))


async def test_a_store_that_lost_writes_yields_to_the_newer_state(store: StateStore, key: StateKey) -> None:
    await store.store([Change(key, None, state(at(5)))])

    assert await store.store([Change(key, at(7), state(at(9)))]) == {}
    assert (await store.load([key]))[key] == state(at(9))


async def test_another_session_is_not_newer(store: StateStore, key: StateKey) -> None:
    await store.store([Change(key, None, state(at(5, "s2")))])

    assert await store.store([Change(key, at(100, "s1"), state(at(101, "s1")))]) == {key: state(at(5, "s2"))}


async def test_changes_are_independent(store: StateStore, key: StateKey) -> None:
    other = (key[0], "scream")
    await store.store([Change(key, None, state(at(5)))])

    refused = await store.store([Change(key, None, state(at(1))), Change(other, None, state(at(1)))])

    assert set(refused) == {key}
    assert (await store.load([other]))[other] == state(at(1))


async def test_of_two_writers_at_once_one_wins(store: StateStore, key: StateKey) -> None:
    await store.store([Change(key, None, state(at(5)))])

    answers = await asyncio.gather(*(store.store([Change(key, at(5), state(at(6 + n)))]) for n in range(8)))

    assert sum(not refused for refused in answers) == 1


async def test_an_unreadable_record_is_removed(redis_url: str, key: StateKey) -> None:
    client = redis.Redis.from_url(redis_url)
    name = f"tocsin:state:v2:{key[0]}/{key[1]}"
    client.hset(name, mapping={"session_id": "s", "first_sample": "3", "body": "{nonsense"})
    store = RedisStates(redis_url)

    assert await store.load([key]) == {}
    assert await store.store([Change(key, None, state(at(1)))]) == {}
    assert client.ttl(name) > 80 * 24 * 3600
    client.close()
    await store.close()


async def test_an_unavailable_store_is_reported_and_recovers(stack: Stack, key: StateKey) -> None:
    store = RedisStates(stack.redis_url)
    await store.store([Change(key, None, state(at(1)))])
    await asyncio.to_thread(stack.redis.terminate)
    try:
        with pytest.raises(RedisUnavailable, match=r"redis://127\.0\.0\.1:\d+"):
            await store.store([Change(key, at(1), state(at(2)))])
    finally:
        await asyncio.to_thread(stack.redis.start)

    assert await store.store([Change(key, at(1), state(at(3)))]) == {}
    assert (await store.load([key]))[key] == state(at(3))
    await store.close()


async def test_a_full_store_is_reported_at_once_and_recovers(stack: Stack, key: StateKey) -> None:
    store, admin = RedisStates(stack.redis_url), redis.Redis.from_url(stack.redis_admin_url)
    await store.store([Change(key, None, state(at(5)))])
    admin.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisUnavailable, match="is full: give it more memory"):
            await asyncio.wait_for(store.store([Change(key, at(5), state(at(7)))]), 5.0)
        assert await store.load([key]) == {key: state(at(5))}
    finally:
        admin.config_set("maxmemory", 0)
        admin.close()
    assert await store.store([Change(key, at(5), state(at(7)))]) == {}
    assert await store.load([key]) == {key: state(at(7))}
    await store.close()


def test_an_invalid_address_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="nonsense"):
        RedisStates("nonsense")
