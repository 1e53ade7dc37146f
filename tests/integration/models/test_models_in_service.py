"""Models that pass every check and fail while they score: refused there and then, and no window is lost."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import numpy as np
import pytest

from processors.core.audio.recording import rows_of, windows_of
from schemas.device import Device
from schemas.notice import Notice
from schemas.record import Record
from schemas.topics import NOTICES
from tests.crafted import MACHINE
from tests.integration.announcer import Announcer
from tests.integration.fleet import RATE, Fleet
from tests.integration.model_oracle import ScoreLog, assert_chain, assert_values, last_end, sound_of, windows_in
from tests.integration.oracle import read_all, start_group_at_end
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]

QUIET, LOUD = 0.001, 0.05
SECONDS = 24.0


@pytest.fixture
async def log(kafka: str) -> AsyncIterator[ScoreLog]:
    async with ScoreLog(kafka) as log:
        yield log


def fleet_of(count: int) -> Fleet:
    """Machines that hum, and grow loud after a third of the time."""
    fleet, tag, rng = Fleet(), uuid.uuid4().hex[:8], np.random.default_rng(3)
    for number in range(count):
        sound = rng.normal(0.0, QUIET, int(SECONDS * RATE))
        sound[len(sound) // 3 :] *= LOUD / QUIET
        fleet.add(Device(device_id=f"m{number}-{tag}", kind="machine", sample_rate=RATE), sound)
    return fleet


def mean_when_loud(fleet: Fleet, device: str) -> float:
    """The mean feature of the device's last window."""
    return float(windows_of(rows_of(sound_of(fleet, device), RATE, MACHINE), MACHINE)[-1].mean())


@pytest.mark.parametrize("before", ["wider scope", "last good"])
async def test_a_model_that_fails_in_service_makes_way(
    kafka: str, group: str, start_worker: Start, announcer: Announcer, log: ScoreLog, before: str
) -> None:
    fleet = fleet_of(4)
    await start_group_at_end(kafka, group)
    ill, *_ = fleet.devices
    everywhere, own = announcer.model("everywhere", 1.0), announcer.model("own", 2.0)
    bad = announcer.model("bad", 3.0, nan_around=mean_when_loud(fleet, ill))
    await announcer.announce(everywhere)
    revision = await announcer.announce(bad, scope=f"device:{ill}")
    worker = start_worker()
    await announcer.wait_for_statuses(revision, "ready")
    await worker.ready()
    expected = everywhere
    if before == "last good":
        # Had by the worker before the bad one.
        revision = await announcer.announce(own, scope=f"device:{ill}")
        await announcer.wait_for_statuses(revision, "ready")
        revision = await announcer.announce(bad, scope=f"device:{ill}")
        await announcer.wait_for_statuses(revision, "ready")
        expected = own

    await fleet.publish(kafka, 4.0)
    length = int(SECONDS * RATE)
    await log.until(fleet.devices, last_end(length, MACHINE))

    assert worker.alive
    (status,) = await announcer.wait_for_statuses(revision, "refused")
    assert (status.error, status.sha256, status.scope) == ("ScoreNotFinite", bad.sha256, f"device:{ill}")
    for device, scores in log.of(fleet.devices).items():
        assert len(scores) == windows_in(length, MACHINE)
        assert_chain(scores, announcer, length)
        assert_values(scores, sound_of(fleet, device), announcer)
        makers = [score.model.sha256 for score in scores]
        if device == ill:
            change = makers.index(expected.sha256)
            assert set(makers[:change]) == {bad.sha256}
            assert set(makers[change:]) == {expected.sha256}
        else:
            assert set(makers) == {everywhere.sha256}
    notices = [
        Notice.from_record(Record(m.key, m.value, tuple(m.headers))) for m in await read_all(kafka, NOTICES.name)
    ]
    mine = [notice for notice in notices if notice.kind == "model_refused" and notice.device_id == ill]
    assert len(mine) == 1
    assert "ScoreNotFinite" in mine[0].summary

    # Another worker does not try it again.
    worker.terminate()
    start_worker()
    again = {ill: [replace(chunk, session_id="s2") for chunk in fleet.chunks[ill]]}
    more = Fleet({ill: fleet.devices[ill]}, again)
    made = log.made_by(bad.sha256)
    await more.publish(kafka)
    await log.more_by(expected.sha256, log.made_by(expected.sha256) + 5)
    await asyncio.sleep(1.0)
    await log.read()
    assert log.made_by(bad.sha256) == made
