"""Assignments that cannot be followed: no start and no other device waits for them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import numpy as np
import pytest

from schemas.device import Device
from tests.crafted import MACHINE
from tests.integration.announcer import Announcer
from tests.integration.fleet import RATE, Fleet
from tests.integration.model_oracle import ScoreLog, assert_chain, last_end, sound_of, windows_in
from tests.integration.oracle import start_group_at_end
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration

SECONDS = 8.0
LENGTH = int(SECONDS * RATE)
# A start on a loaded machine, and the bounded wait for models; for ever, before.
START_S = 45.0


def machines(count: int) -> Fleet:
    fleet, tag, rng = Fleet(), uuid.uuid4().hex[:8], np.random.default_rng(5)
    for number in range(count):
        device = Device(device_id=f"m{number}-{tag}", kind="machine", sample_rate=RATE)
        fleet.add(device, rng.normal(0.0, 0.02, LENGTH))
    return fleet


async def test_only_a_device_without_its_own_model_is_concerned(
    kafka: str, group: str, start_worker: Callable[..., WorkerProcess], announcer: Announcer
) -> None:
    fleet = machines(3)
    lonely, *_ = fleet.devices
    await start_group_at_end(kafka, group)
    everywhere, own, lost = (
        announcer.model(name, scale) for name, scale in (("everywhere", 1.0), ("own", 2.0), ("lost", 3.0))
    )
    await announcer.announce(everywhere)
    _remove(announcer, own.sha256)
    _remove(announcer, lost.sha256)
    await announcer.announce(lost, scope="device:no-device-has-this-name")
    revision = await announcer.announce(own, scope=f"device:{lonely}")

    async with ScoreLog(kafka) as log:
        worker = start_worker()
        await worker.ready(START_S)
        (status,) = await announcer.wait_for_statuses(revision, "waiting")
        await fleet.publish(kafka)
        await log.until(fleet.devices, last_end(LENGTH, MACHINE))
        scores = log.of(fleet.devices)

    assert worker.alive
    assert status.error == "StoreUnavailable"
    for device, mine in scores.items():
        assert len(mine) == windows_in(LENGTH, MACHINE)
        assert_chain(mine, announcer, len(sound_of(fleet, device)))
        assert {score.model.sha256 for score in mine} == {everywhere.sha256}


def _remove(announcer: Announcer, sha256: str) -> None:
    """Takes a model's file out of the store."""
    (announcer.folder / "store" / f"{sha256}.onnx").unlink()
