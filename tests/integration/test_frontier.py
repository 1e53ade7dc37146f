"""Devices that come and go on a real broker: commits trail by seconds, and those that come back lose no window.

The long forms: ``TOCSIN_TEST_CHURN_S=600 python -m pytest tests/integration/test_frontier.py -k come_and_go``, and
``TOCSIN_TEST_OUTAGE_S=60`` (360, 1200) with ``-k away``.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer

from schemas.chunk import Chunk, encode_chunk
from schemas.topics import AUDIO, DEVICES, UNFINISHED
from tests.integration.fleet import CHUNK_S, Fleet
from tests.integration.oracle import (
    assert_no_commit_passed_an_unscored_window,
    assert_same,
    commits,
    read_all,
    start_group_at_end,
    wait_for,
)
from tests.integration.worker_process import WorkerProcess
from tocsin.stack.stack import Stack

pytestmark = pytest.mark.integration

Start = Callable[..., WorkerProcess]

SOAK_S = float(os.environ.get("TOCSIN_TEST_CHURN_S", "26"))
OUTAGE_S = float(os.environ.get("TOCSIN_TEST_OUTAGE_S", "8"))
START_S, BOUND_S = 12.0, 12.0
"""A worker reads its partitions' states first; then five seconds that a device may hold commits back, and what a busy
machine adds."""


def rounds_of(number: int, chunks: int) -> list[int]:
    """When a device sends each of its chunks, in half seconds: steadily, in bursts, or once and never again."""
    if number % 4 == 0:
        return list(range(chunks))
    if number % 4 == 1:
        return list(range(5))
    silent, burst = 18 + number, 5
    return [index + index // burst * silent for index in range(chunks)]


async def send(producer: AIOKafkaProducer, chunk: Chunk, partition: int) -> None:
    record = encode_chunk(chunk)
    headers = list(record.headers)
    await producer.send_and_wait(AUDIO.name, record.value, key=record.key, partition=partition, headers=headers)


async def announce(producer: AIOKafkaProducer, fleet: Fleet) -> None:
    for device in fleet.devices.values():
        record = device.to_record()
        await producer.send_and_wait(DEVICES.name, record.value, key=record.key, headers=list(record.headers))


async def publish(kafka: str, fleet: Fleet) -> None:
    """Sends in real time, all devices to two partitions; drops from the fleet what was not sent."""
    rounds = int(SOAK_S / CHUNK_S)
    due: dict[int, list[tuple[int, Chunk]]] = defaultdict(list)
    for number, (device, chunks) in enumerate(fleet.chunks.items()):
        sent = [round_ for round_ in rounds_of(number, len(chunks)) if round_ < rounds]
        fleet.chunks[device] = chunks[: len(sent)]
        for chunk, round_ in zip(fleet.chunks[device], sent, strict=True):
            due[round_].append((number // 4 % 2, chunk))
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        await announce(producer, fleet)
        started = asyncio.get_running_loop().time()
        for round_ in range(rounds):
            for partition, chunk in due[round_]:
                await send(producer, chunk, partition)
            await asyncio.sleep(max(0.0, started + (round_ + 1) * CHUNK_S - asyncio.get_running_loop().time()))


async def seconds_until_committed(kafka: str, group: str, devices: set[str]) -> list[tuple[float, float]]:
    """For every record that was committed: when it arrived after the first, and how long after that."""
    committed: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for partition, offset, at_ms in await commits(kafka, group):
        committed[partition].append((offset, at_ms))
    messages = await read_all(kafka, AUDIO.name, devices)
    began = min(message.timestamp for message in messages)
    found = []
    for message in messages:
        passed = [at_ms for offset, at_ms in committed[message.partition] if offset > message.offset]
        if passed:
            found.append(((message.timestamp - began) / 1000, (min(passed) - message.timestamp) / 1000))
    return found


async def test_commits_trail_by_seconds_while_devices_come_and_go(kafka: str, group: str, start_worker: Start) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(SOAK_S)
    worker = start_worker()
    await worker.ready()

    await publish(kafka, fleet)
    expected = fleet.expected()
    assert_same(await wait_for(kafka, expected), expected)
    await asyncio.sleep(2.0)

    devices = set(fleet.devices)
    lags = await seconds_until_committed(kafka, group, devices)
    assert max(lag for _, lag in lags) <= 30.0
    assert max(lag for arrived, lag in lags if arrived > START_S) <= BOUND_S
    assert len(lags) >= sum(map(len, fleet.chunks.values())) - 8 * len(devices)
    assert await assert_no_commit_passed_an_unscored_window(kafka, group, expected, devices) > 8


async def test_a_device_that_was_silent_while_its_worker_died_loses_no_window(
    kafka: str, group: str, start_worker: Start
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(20.0, count=2)
    silent, steady = fleet.devices
    worker = start_worker()
    await worker.ready()
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        await announce(producer, fleet)
        for number in range(5):
            await send(producer, fleet.chunks[silent][number], 0)
        for number in range(14):
            await send(producer, fleet.chunks[steady][number], 0)
        async with asyncio.timeout(60.0):  # until the commit has passed what the device's next window needs
            while len(await seconds_until_committed(kafka, group, {silent})) < 5:
                await asyncio.sleep(1.0)
        worker.kill()
        worker = start_worker()
        await worker.ready()
        for number in range(14, 40):
            await send(producer, fleet.chunks[steady][number], 0)
        for number in range(5, 40):
            await send(producer, fleet.chunks[silent][number], 0)

    expected = fleet.expected()
    assert_same(await wait_for(kafka, expected), expected)
    assert {message.key.decode() for message in await read_all(kafka, UNFINISHED.name, {silent})} == {silent}


async def test_no_window_is_lost_when_kafka_was_away(stack: Stack, kafka: str, group: str, start_worker: Start) -> None:
    """Devices hold their sound back meanwhile; in broker time they were all silent for longer than they may be."""
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(14.0, count=3)
    worker = start_worker()
    await worker.ready()

    async def restart() -> None:
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(stack.kafka.start)

    async with AIOKafkaProducer(
        bootstrap_servers=kafka, enable_idempotence=True, request_timeout_ms=int(OUTAGE_S + 120) * 1_000
    ) as producer:
        await announce(producer, fleet)
        sent = []
        for round_ in range(28):
            if round_ == 11:
                stack.kafka.kill()
                # Beside the sending, which waits for room in the producer meanwhile.
                restarted = asyncio.create_task(restart())
            for chunks in fleet.chunks.values():
                record = encode_chunk(chunks[round_])
                sent.append(
                    await producer.send(
                        AUDIO.name, record.value, key=record.key, partition=0, headers=list(record.headers)
                    )
                )
            await asyncio.sleep(CHUNK_S)
        await restarted
        await asyncio.gather(*sent)
    if not worker.alive:
        start_worker()  # it ends itself after three minutes, as its supervisor knows

    expected = fleet.expected()
    assert_same(await wait_for(kafka, expected, timeout=180.0), expected)
    assert await assert_no_commit_passed_an_unscored_window(kafka, group, expected, set(fleet.devices)) > 3
