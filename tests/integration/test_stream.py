"""The worker on the real broker: hostile records, devices, and commands that read the output."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer

from schemas.chunk import encode_chunk
from schemas.deadletter import original
from schemas.record import Record
from schemas.topics import AUDIO, DEADLETTER, DEVICES
from tests.integration.fleet import Fleet
from tests.integration.oracle import assert_same, read_all, start_group_at_end, wait_for
from tests.integration.raw_records import batch_of, marked, produce_raw
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]


def tocsin(*arguments: str, kafka: str, columns: int = 200) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TOCSIN_KAFKA": kafka, "COLUMNS": str(columns)}
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments], capture_output=True, text=True, timeout=60, env=environment
    )


async def test_hostile_records_between_good_ones(kafka: str, group: str, start_worker: Start) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(6.0, count=1)
    (device,) = fleet.devices
    good = encode_chunk(fleet.chunks[device][0])
    key = good.key
    hostile = [
        Record(key, b"\0" * 7, good.headers),
        Record(key, b"", good.headers),
        Record(key, good.value, ()),
        Record(key, good.value, good.headers + good.headers[-1:]),
        Record(key, good.value, tuple((n, b"2.0" if n == "ce_specversion" else v) for n, v in good.headers)),
        Record(key, good.value, tuple((n, b"tocsin.audio.v9" if n == "ce_type" else v) for n, v in good.headers)),
        Record(key, good.value, tuple((n, b"NaN" if n == "ce_samplerate" else v) for n, v in good.headers)),
        Record(key, b"\0" * 600_000, good.headers),
    ]
    names = [
        "TruncatedValue", "EmptyValue", "MissingHeader", "RepeatedHeader", "UnsupportedVersion", "UnsupportedVersion",
        "MalformedHeader", "OversizedValue",
    ]  # fmt: skip
    async with AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=2_000_000) as producer:
        for record in hostile:
            await producer.send_and_wait(AUDIO.name, record.value, key=record.key, headers=list(record.headers))
    start_worker()

    await fleet.publish(kafka)
    assert_same(await wait_for(kafka, fleet.expected()), fleet.expected())

    letters = await read_all(kafka, DEADLETTER.name, {device})
    found = [Record(m.key, m.value, tuple(m.headers)) for m in letters]
    assert [dict(m.headers)["tocsin_error_class"].decode() for m in found] == names
    assert [original(m) for m in found] == hostile


@pytest.mark.parametrize("compression", [0, 1], ids=["plain", "gzip"])
async def test_undecodable_header_names_do_not_stop_the_stream(
    kafka: str, group: str, start_worker: Start, compression: int
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(6.0, count=1)
    (device,) = fleet.devices
    good = encode_chunk(fleet.chunks[device][0])
    broken = Record(good.key, b"\1" * 7, good.headers)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        partition = (await producer.send_and_wait(AUDIO.name, b"", key=good.key)).partition
        place = (await producer.send_and_wait(DEVICES.name, b"", key=good.key)).partition
    # A whole batch: records before and after the strange one must come through as well.
    batch = batch_of([broken, marked(broken), broken], b"\xc3\x28z", compression=compression)
    await produce_raw(kafka, AUDIO.name, partition, batch)
    await produce_raw(kafka, DEVICES.name, place, batch)
    start_worker()

    await fleet.publish(kafka)
    assert_same(await wait_for(kafka, fleet.expected()), fleet.expected())

    letters = await read_all(kafka, DEADLETTER.name, {device})
    found = [original(Record(m.key, m.value, tuple(m.headers))) for m in letters]
    strange = Record(good.key, b"\1" * 7, (*good.headers, ("\\xc3(z", b"whatever")))
    assert found == [Record(good.key, b"", ()), broken, strange, broken]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_records_of_any_compression_are_read(kafka: str, group: str, start_worker: Start, codec: str) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(4.0, count=1)
    start_worker()

    await fleet.publish(kafka, codec=codec)

    assert_same(await wait_for(kafka, fleet.expected()), fleet.expected())


async def test_a_tombstone_and_a_record_without_a_key_do_not_stop_the_stream(
    kafka: str, group: str, start_worker: Start
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(6.0, count=2)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(AUDIO.name, None, key=b"tombstone")
        await producer.send_and_wait(AUDIO.name, b"x", key=None)
    start_worker()

    await fleet.publish(kafka)

    assert_same(await wait_for(kafka, fleet.expected()), fleet.expected())


async def test_commands_list_alerts_and_devices(kafka: str, group: str, start_worker: Start) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(35.0, 20.0)
    expected = fleet.expected()
    start_worker()
    await fleet.publish(kafka)
    await wait_for(kafka, expected)

    shown = await asyncio.to_thread(tocsin, "alerts", "--json", kafka=kafka)
    mine = [a for a in map(json.loads, shown.stdout.splitlines()) if a["device_id"] in fleet.devices]
    assert {(a["alert_id"], a["revision"]) for a in mine} == {
        (o.alert.alert_id, o.alert.revision) for o in expected if o.alert is not None
    }
    plain = await asyncio.to_thread(tocsin, "alerts", kafka=kafka)
    assert all(a["alert_id"] in plain.stdout for a in mine)

    listed = await asyncio.to_thread(tocsin, "devices", "list", "--json", kafka=kafka)
    assert fleet.devices.keys() <= {json.loads(line)["device_id"] for line in listed.stdout.splitlines()}
    table = await asyncio.to_thread(tocsin, "devices", "list", kafka=kafka)
    assert fleet.devices.keys() <= {line.split()[0] for line in table.stdout.splitlines() if line.strip()}


async def test_following_alerts_ends_with_ctrl_c(kafka: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tocsin", "alerts", "--follow", "--kafka", kafka, stdout=subprocess.PIPE
    )
    await asyncio.sleep(3.0)
    assert process.returncode is None
    process.send_signal(signal.SIGINT)
    await process.communicate()

    assert process.returncode == 130


async def test_supervised_workers_end_with_their_supervisor(kafka: str, redis_url: str, group: str) -> None:
    import psutil

    command = ["-m", "tocsin", "worker", "--processes", "2", "--kafka", kafka, "--redis", redis_url, "--group", group]
    supervisor = subprocess.Popen([sys.executable, *command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = psutil.Process(supervisor.pid)
    while len(workers := process.children()) < 2:
        await asyncio.sleep(0.2)
    workers[0].kill()
    await asyncio.sleep(0.5)
    while len(process.children()) < 2:
        await asyncio.sleep(0.2)
    workers = process.children()
    await asyncio.sleep(3.0)

    supervisor.kill()
    supervisor.wait()

    _, left = await asyncio.to_thread(psutil.wait_procs, workers, 30)
    assert left == []


async def test_terminating_the_supervisor_drains_the_workers(kafka: str, redis_url: str, group: str) -> None:
    import psutil

    command = ["-m", "tocsin", "worker", "--processes", "2", "--kafka", kafka, "--redis", redis_url, "--group", group]
    supervisor = subprocess.Popen([sys.executable, *command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(workers := psutil.Process(supervisor.pid).children()) < 2:
        await asyncio.sleep(0.2)
    await asyncio.sleep(4.0)
    supervisor.terminate()
    code = await asyncio.to_thread(supervisor.wait, 30)

    assert code == 0
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
