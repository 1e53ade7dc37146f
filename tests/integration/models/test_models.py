"""Running workers swap models between batches: nothing lost or repeated, the right version on every score."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from schemas.device import Device
from schemas.features import FeatureSpec
from tests.crafted import MACHINE
from tests.integration import slow_fetch_worker
from tests.integration.announcer import Announcer
from tests.integration.fleet import RATE, Fleet
from tests.integration.model_oracle import ScoreLog, assert_chain, assert_values, last_end, sound_of, windows_in
from tests.integration.oracle import start_group_at_end
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]

SHORT = FeatureSpec(n_frames=48, window_hop=24, level="none")
LONG = FeatureSpec(n_frames=150, window_hop=50, level="none")


def noise_fleet(count: int, seconds: float) -> Fleet:
    """Machines that hum at levels of their own."""
    fleet, tag = Fleet(), uuid.uuid4().hex[:8]
    sounds = [np.random.default_rng(n).normal(0, 0.01 * (n + 1), int(seconds * RATE)) for n in range(4)]
    names = [f"m{number}-{tag}" for number in range(count)]
    for name, sound in zip(names, sounds, strict=False):
        fleet.add(Device(device_id=name, kind="machine", sample_rate=RATE), sound)
    for number, name in enumerate(names[4:]):
        fleet.devices[name] = Device(device_id=name, kind="machine", sample_rate=RATE)
        fleet.chunks[name] = [replace(chunk, device_id=name) for chunk in fleet.chunks[names[number % 4]]]
    return fleet


@pytest.fixture
async def log(kafka: str) -> AsyncIterator[ScoreLog]:
    async with ScoreLog(kafka) as log:
        yield log


async def test_twenty_swaps_a_rollback_three_refused_and_a_kill_in_mid_fetch_under_load(
    kafka: str,
    group: str,
    start_worker: Start,
    announcer: Announcer,
    log: ScoreLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet, enough = noise_fleet(50, 200.0), asyncio.Event()
    await start_group_at_end(kafka, group)
    specs = [MACHINE, MACHINE, SHORT, MACHINE, LONG, MACHINE]
    models = [announcer.model(f"v{n}", 1.0 + n / 8, spec) for n, spec in enumerate(specs)]
    shadow = announcer.model("shadow", 3.0)
    stopped = announcer.model("stopped", 5.0)
    monkeypatch.setenv(slow_fetch_worker.DIGEST, stopped.sha256)
    monkeypatch.setenv(slow_fetch_worker.MARK, str(tmp_path / "fetching"))
    await announcer.announce(models[0], shadow)
    first = start_worker()
    monkeypatch.setenv("TOCSIN_MODEL_CACHE", str(tmp_path / "cache-of-the-second"))
    second = start_worker("tests.integration.slow_fetch_worker")
    await announcer.wait_for_statuses(1, "ready", workers=2)
    publishing = asyncio.create_task(fleet.publish(kafka, 1.0, until=enough))
    await asyncio.sleep(3.0)

    for swap in range(1, 21):
        model = models[swap % len(models)]
        before = log.made_by(model.sha256)
        revision = await announcer.announce(model, shadow)
        await announcer.wait_for_statuses(revision, "ready", workers=2)
        await log.more_by(model.sha256, before)
    refused = {
        "GoldenMismatch": announcer.model("golden", 7.0, golden_off=1.0),
        "FeatureMismatch": announcer.model("features", 7.0, features_hash="0" * 64),
        "DigestMismatch": announcer.model("digest", 7.0),
    }
    path = tmp_path / "models" / "store" / f"{refused['DigestMismatch'].sha256}.onnx"
    path.write_bytes(path.read_bytes()[::-1])
    for error, artefact in refused.items():
        revision = await announcer.announce(artefact, shadow)
        assert {s.error for s in await announcer.wait_for_statuses(revision, "refused", workers=2)} == {error}
    revision = await announcer.announce(models[19 % len(models)], shadow)
    await announcer.wait_for_statuses(revision, "ready", workers=2)

    await announcer.announce(stopped, shadow)
    async with asyncio.timeout(30.0):
        while not (tmp_path / "fetching").exists():
            await asyncio.sleep(0.05)
    second.kill()
    third = start_worker()
    final = await announcer.announce(models[3], shadow)
    await announcer.wait_for_statuses(final, "ready", workers=2)
    assert not publishing.done(), "the fleet has fallen silent before the models changed for the last time"
    await asyncio.sleep(5.0)
    enough.set()
    await publishing
    length = len(sound_of(fleet, next(iter(fleet.devices))))
    await log.until(fleet.devices, last_end(length, MACHINE))

    found = log.of(fleet.devices)
    beside = log.of(fleet.devices, "shadow")
    sounds = {device: sound_of(fleet, device) for device in fleet.devices}
    for device, sound in sounds.items():
        assert_chain(found[device], announcer, length)
        assert_values(found[device], sound, announcer)
        assert found[device][-1].model.version == "v3"
        assert len(beside[device]) == windows_in(length, MACHINE)
        assert_values(beside[device], sound, announcer)
        assert {score.model.version for score in beside[device]} == {"shadow"}
    taken = {score.model.version for scores in found.values() for score in scores}
    assert taken & {"golden", "features", "digest"} == set()
    assert {f"v{n}" for n in range(len(models))} <= taken
    assert first.alive
    assert third.alive


async def test_a_worker_that_starts_while_the_store_is_unavailable_scores_from_its_cache(
    kafka: str, group: str, start_worker: Start, announcer: Announcer, log: ScoreLog
) -> None:
    await start_group_at_end(kafka, group)
    kept, later = announcer.model("kept", 2.0), announcer.model("later", 4.0)
    revision = await announcer.announce(kept)
    worker = start_worker()
    await announcer.wait_for_statuses(revision, "ready")
    assert worker.terminate() == 0
    announcer.hide_store()
    waited = await announcer.announce(later)
    fleet, length = noise_fleet(8, 8.0), int(8.0 * RATE)

    worker = start_worker()
    await fleet.publish(kafka)
    assert {s.error for s in await announcer.wait_for_statuses(waited, "waiting")} == {"StoreUnavailable"}
    await log.until(fleet.devices, last_end(length, MACHINE))
    announcer.show_store()
    await announcer.wait_for_statuses(waited, "ready")
    more = noise_fleet(8, 6.0)
    await more.publish(kafka)
    await log.until(more.devices, last_end(int(6.0 * RATE), MACHINE))

    for some, version in ((fleet, "kept"), (more, "later")):
        for device, scores in log.of(some.devices).items():
            assert {score.model.version for score in scores} == {version}
            assert_values(scores, sound_of(some, device), announcer)
    assert worker.alive


async def test_without_store_and_cache_the_wider_scopes_model_scores_until_the_store_is_there(
    kafka: str, group: str, start_worker: Start, announcer: Announcer, log: ScoreLog
) -> None:
    await start_group_at_end(kafka, group)
    model = announcer.model("awaited", 2.0)
    announcer.hide_store()
    revision = await announcer.announce(model)
    fleet, later, length = noise_fleet(8, 8.0), noise_fleet(8, 8.0), int(8.0 * RATE)
    worker = start_worker()

    await fleet.publish(kafka)
    await announcer.wait_for_statuses(revision, "waiting")
    await log.until(fleet.devices, last_end(length, MACHINE))
    announcer.show_store()
    await announcer.wait_for_statuses(revision, "ready", timeout=90.0)
    await later.publish(kafka)
    await log.until(later.devices, last_end(length, MACHINE))

    for scores in log.of(fleet.devices).values():
        assert len(scores) == windows_in(length, MACHINE)
        assert model.sha256 not in {score.model.sha256 for score in scores}
    for device, scores in log.of(later.devices).items():
        assert len(scores) == windows_in(length, MACHINE)
        assert {score.model.version for score in scores} == {"awaited"}
        assert_values(scores, sound_of(later, device), announcer)
    assert worker.alive


async def test_of_a_hundred_announcements_a_second_the_last_one_applies(
    kafka: str, group: str, start_worker: Start, announcer: Announcer, log: ScoreLog
) -> None:
    await start_group_at_end(kafka, group)
    one, two, bad = (
        announcer.model("one", 2.0),
        announcer.model("two", 3.0),
        announcer.model("bad", 9.0, golden_off=2.0),
    )
    revision = await announcer.announce(one)
    worker = start_worker()
    await announcer.wait_for_statuses(revision, "ready")
    fleet, enough = noise_fleet(10, 300.0), asyncio.Event()
    publishing = asyncio.create_task(fleet.publish(kafka, 1.0, until=enough))

    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(500):
        await announcer.announce((one, two, bad)[number % 3])
        await announcer.raw(b"\xff" * 20, b"no assignment")
        await asyncio.sleep(max(0.0, began + 0.01 * number - loop.time()))
    final = await announcer.announce(two)
    await announcer.wait_for_statuses(final, "ready")
    assert not publishing.done(), "the fleet has fallen silent before the last announcement"
    await asyncio.sleep(4.0)
    enough.set()
    await publishing
    length = len(sound_of(fleet, next(iter(fleet.devices))))
    await log.until(fleet.devices, last_end(length, MACHINE))

    for device, scores in log.of(fleet.devices).items():
        assert len(scores) == windows_in(length, MACHINE)
        assert_chain(scores, announcer, length)
        assert_values(scores, sound_of(fleet, device), announcer)
        assert scores[-1].model.version == "two"
    assert len(announcer.statuses) < 250, "announcements are not coalesced"
    assert worker.alive
