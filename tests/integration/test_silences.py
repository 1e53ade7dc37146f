"""Sound that used to vanish without a word: it is scored where it can be, and a notice says so."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.alert import Alert
from schemas.chunk import Chunk
from schemas.health_notice import HealthNotice
from schemas.record import Record
from schemas.topics import ALERTS, AUDIO, DEADLETTER, NOTICES
from tests.integration.fleet import Fleet
from tests.integration.oracle import read_all, read_output, start_group_at_end
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]
SECONDS = 8.0


def moved(chunks: list[Chunk], session: str, seconds: float) -> list[Chunk]:
    """The chunks as a session that began later."""
    shift = round(seconds * 1e9)
    return [dataclasses.replace(one, session_id=session, captured_ns=one.captured_ns + shift) for one in chunks]


async def notices_on(kafka: str, device_id: str) -> list[HealthNotice]:
    return [
        HealthNotice.from_record(Record(message.key, message.value, tuple(message.headers)))
        for message in await read_all(kafka, NOTICES.name, {device_id})
        if ("ce_type", HealthNotice.event_type.encode()) in message.headers
    ]


async def partition_notices(kafka: str, partition: int, since_s: float) -> list[HealthNotice]:
    return [one for one in await notices_on(kafka, f"partition-{partition}") if one.at_ns / 1e9 >= since_s]


async def scored(kafka: str, fleet: Fleet, count: int) -> list[tuple[str, int]]:
    """Session and first sample of every window, once there are ``count``."""
    async with asyncio.timeout(90):
        while True:
            output = await read_output(kafka, set(fleet.devices))
            found = {(score.session_id, score.first_sample) for scores in output.scores.values() for score in scores}
            if len(found) >= count:
                return sorted(found)
            await asyncio.sleep(0.3)


async def test_two_producers_under_one_device_id(kafka: str, group: str, start_worker: Start) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(SECONDS, count=1)
    (device_id,) = fleet.devices
    younger = fleet.chunks[device_id]
    expected = len(fleet.expected())
    older = moved(younger, "older", -100.0)
    fleet.chunks[device_id] = [chunk for pair in zip(younger, older, strict=True) for chunk in pair]
    start_worker()
    await fleet.publish(kafka)

    found = await scored(kafka, fleet, expected)
    assert {session for session, _ in found} == {"s1"}
    letters = await read_all(kafka, DEADLETTER.name, {device_id})
    assert {dict(letter.headers)["tocsin_error_class"] for letter in letters} == {b"SupersededSession"}
    assert len(letters) == len(older)
    assert [notice.kind for notice in await notices_on(kafka, device_id)] == ["concurrent_sessions"]


async def test_a_restart_under_the_same_session_id(kafka: str, group: str, start_worker: Start) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(SECONDS, count=1)
    (device_id,) = fleet.devices
    first = fleet.chunks[device_id]
    expected = len(fleet.expected())
    fleet.chunks[device_id] = [*first, *moved(first, "s1", 60.0)]
    worker = start_worker()
    await fleet.publish(kafka)
    found = await scored(kafka, fleet, 2 * expected)

    sessions = {session for session, _ in found}
    assert len(sessions) == 2
    assert all(session == "s1" or session.startswith("s1.r") for session in sessions)
    assert [notice.kind for notice in await notices_on(kafka, device_id)] == ["session_reused"]
    # Another worker that goes on in the middle of the second run keeps its name.
    worker.kill()
    fleet.chunks[device_id] = [
        dataclasses.replace(
            one, sequence=one.sequence + len(first), first_sample=one.first_sample + first[-1].end_sample
        )
        for one in moved(first, "s1", 60.0 + SECONDS)
    ]
    start_worker()
    await fleet.publish(kafka)
    later = await scored(kafka, fleet, 2 * expected + round(expected * 0.7))
    assert {session for session, _ in later} == sessions


async def test_the_alert_of_a_silent_device_is_closed_once_also_by_another_worker(
    kafka: str, group: str, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_NO_SOUND_MINUTES", "0.15")
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(35.0, 20.0)
    opening = next(one.alert for one in fleet.expected() if one.alert is not None and one.alert.state == "opened")
    device_id = opening.device_id
    last = next(n for n, one in enumerate(fleet.chunks[device_id]) if one.end_sample > opening.first_sample + 40_000)
    fleet = Fleet({device_id: fleet.devices[device_id]}, {device_id: fleet.chunks[device_id][: last + 1]})
    before = [one.alert for one in fleet.expected() if one.alert is not None]
    assert before[-1].state != "closed", "the test needs an alert that is open"
    worker = start_worker()
    await fleet.publish(kafka)

    async def alerts(count: int) -> list[Alert]:
        async with asyncio.timeout(90):
            while True:
                records = await read_all(kafka, ALERTS.name, {device_id})
                sent = [Alert.from_record(Record(m.key, m.value, tuple(m.headers))) for m in records]
                # What a killed worker sent and did not acknowledge is sent again, under the same id.
                found = list({alert.event_id(): alert for alert in sent}.values())
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.3)

    assert (await alerts(len(before)))[-1].alert_id == opening.alert_id
    worker.kill()
    start_worker()
    found = await alerts(len(before) + 1)
    await asyncio.sleep(12.0)

    assert await alerts(len(before) + 1) == found
    closed = found[-1]
    assert (closed.state, closed.reason) == ("closed", "no_sound")
    assert (closed.alert_id, closed.revision) == (opening.alert_id, before[-1].revision + 1)


async def test_records_that_retention_deleted_unread(kafka: str, group: str, start_worker: Start) -> None:
    began = time.time() - 1.0
    fleet = Fleet.of_factory(SECONDS, count=1)
    (device_id,) = fleet.devices
    await fleet.publish(kafka)
    read = len(await read_all(kafka, AUDIO.name, {device_id}))
    await start_group_at_end(kafka, group)
    await fleet.publish(kafka)
    messages = (await read_all(kafka, AUDIO.name, {device_id}))[read:]
    place = TopicPartition(AUDIO.name, messages[0].partition)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(before_offset=messages[-3].offset)})
    await admin.close()
    start_worker()

    async with asyncio.timeout(60):
        while not (found := await partition_notices(kafka, place.partition, began)):
            await asyncio.sleep(0.3)
    assert [one.kind for one in found] == ["records_lost"]
    assert found[0].count == messages[-3].offset - messages[0].offset
    assert "retention" in found[0].summary
