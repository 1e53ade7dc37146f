"""States that Redis lost are rebuilt from the scores, and feedback reaches them: real Kafka, real Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import redis.asyncio

from processors.adapters.redis.redis_states import RedisStates
from processors.adapters.redis.state_store import StateKey
from processors.core.alerting.detector_state import DetectorState
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.topics import FEEDBACK
from tests.integration.fleet import Fleet
from tests.integration.oracle import assert_same, assert_same_state, start_group_at_end, wait_for
from tests.integration.test_stream import tocsin
from tests.integration.worker_process import WorkerProcess
from tocsin.client.topic_writer import write_records

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]
FAULT_S = 20.0


async def states_in(redis_url: str, keys: list[StateKey]) -> dict[StateKey, DetectorState]:
    store = RedisStates(redis_url, timeout_s=5.0)
    try:
        return await store.load(keys)
    finally:
        await store.close()


def without_outbox(states: dict[StateKey, DetectorState]) -> dict[StateKey, DetectorState]:
    return {key: state.model_copy(update={"outbox": ()}) for key, state in states.items()}


async def test_states_that_redis_has_lost_are_those_of_an_undisturbed_run(
    kafka: str, redis_url: str, group: str, start_worker: Start
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(40.0, FAULT_S)
    expected = fleet.expected()
    first, second = fleet.halves(0.6)
    worker = start_worker()
    await first.publish(kafka)
    await wait_for(kafka, first.expected())
    worker.terminate()
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.flushdb()
    await client.aclose()

    start_worker()
    await second.publish(kafka)
    assert_same(await wait_for(kafka, expected), expected)

    found = await states_in(redis_url, list(fleet.states))
    assert found.keys() == fleet.states.keys()
    for key, wanted in fleet.states.items():
        assert_same_state(found[key], wanted)


async def test_feedback_given_in_mid_stream_stands_in_the_states_read_back(
    kafka: str, redis_url: str, group: str, start_worker: Start
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(40.0, FAULT_S)
    first, second = fleet.halves(0.8)
    opened = [o.alert for o in first.expected() if o.alert is not None and o.alert.state == "opened"]
    (alert,) = [alert for alert in opened if alert.detector == "machine"]
    key = (alert.device_id, alert.detector)
    worker = start_worker()
    await first.publish(kafka)
    await wait_for(kafka, first.expected())
    about = {"device_id": alert.device_id, "detector": alert.detector, "given_ns": 1_700_000_000_000_000_000}
    judged = AlertFeedback(alert_id=alert.alert_id, judgement="false-alarm", **about)
    normal = DeviceFeedback(action="normal", **about)
    await write_records(kafka, [(FEEDBACK, one.to_record()) for one in (judged, normal)])
    await asyncio.sleep(2.0)
    await second.publish(kafka)
    await wait_for(kafka, fleet.expected())
    worker.terminate()
    undisturbed = await states_in(redis_url, list(fleet.states))
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.flushdb()
    await client.aclose()

    start_worker()

    async with asyncio.timeout(90.0):
        while len(found := await states_in(redis_url, list(fleet.states))) < len(undisturbed):
            await asyncio.sleep(0.2)
    assert without_outbox(found) == without_outbox(undisturbed)
    assert found[key].last_feedback_offset >= 1
    current = found[key].current_model
    assert current is not None
    episodes = [current.block_state.episodes.current, *current.block_state.episodes.closed]
    assert [one.number for one in episodes if one is not None and getattr(one, "judgement", "") == "false-alarm"] == [1]


async def test_feedback_and_a_policy_reach_the_state_and_stored_scores_can_be_replayed(
    kafka: str, redis_url: str, group: str, start_worker: Start, tmp_path: Path
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(40.0, FAULT_S)
    first, second = fleet.halves(0.8)
    expected = first.expected()
    alerts = [o.alert for o in expected if o.alert is not None and o.alert.state == "opened"]
    (opened,) = [alert for alert in alerts if alert.detector == "machine"]
    device = opened.device_id
    start_worker()
    await first.publish(kafka)
    await wait_for(kafka, expected)

    done = await asyncio.to_thread(tocsin, "alerts", "feedback", opened.alert_id, "false-alarm", kafka=kafka)
    assert done.returncode == 0, done.stderr
    done = await asyncio.to_thread(
        tocsin, "devices", "policy", "--false-alarms-per-week", "7", "--device", device, kafka=kafka
    )
    assert done.returncode == 0, done.stderr
    await asyncio.sleep(2.0)
    await second.publish(kafka)
    await _until_windows(kafka, device, len([o for o in fleet.expected() if o.score.device_id == device]))

    (state,) = (await states_in(redis_url, [(device, opened.detector)])).values()
    assert state.last_feedback_offset >= 0
    assert state.current_model is not None
    assert state.current_model.false_alarms_per_week == 7.0
    episodes = [state.current_model.block_state.episodes.current, *state.current_model.block_state.episodes.closed]
    assert any(getattr(episode, "judgement", "") == "false-alarm" for episode in episodes if episode is not None)

    result = await asyncio.to_thread(tocsin, "devices", "explain", device, kafka=kafka)
    assert result.returncode == 0, result.stderr
    for part in ("p-value", "calibrating", "at most 7 false alarms a week", "window of"):
        assert part in result.stdout
    replayed = await asyncio.to_thread(
        tocsin,
        "replay",
        device,
        "--since",
        "1h",
        "--set",
        "false_alarms_per_week=1",
        "--out",
        str(tmp_path),
        "--json",
        kafka=kafka,
    )
    assert replayed.returncode == 0, replayed.stderr
    answer = json.loads(replayed.stdout)
    assert answer["then"] == answer["now"] == 1
    assert answer["feedback"] == 1
    assert answer["alerts"][0]["alert_id"] == opened.alert_id
    assert Path(answer["picture"]).stat().st_size > 10_000


async def _until_windows(kafka: str, device: str, count: int) -> None:
    from tocsin.client.scores import read_scores

    async with asyncio.timeout(90):
        while len(await read_scores(kafka, 0, device_id=device)) < count:
            await asyncio.sleep(0.5)
