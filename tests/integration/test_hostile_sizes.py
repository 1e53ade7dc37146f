"""Records and batches that are small on the broker and large in memory, on the real broker."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBase

from schemas.chunk import encode_chunk
from schemas.deadletter import facts_of, original
from schemas.record import Record
from schemas.topics import AUDIO, DEADLETTER, DEVICES
from tests.integration.fleet import Fleet
from tests.integration.oracle import assert_same, read_all, start_group_at_end, wait_for
from tests.integration.raw_records import batch_of, produce_raw
from tests.integration.worker_process import WorkerProcess

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = {"gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
HEAD = DefaultRecordBase.HEADER_STRUCT.size
# Snappy compresses zeros to a twentieth; the broker takes 640 KiB.
BOMB_MIB = {"gzip": 64, "snappy": 10, "lz4": 64, "zstd": 64}
MAX_RESIDENT_MIB = 450


async def test_a_record_that_is_too_large_becomes_a_letter_with_its_digest(
    kafka: str, group: str, start_worker: Callable[..., WorkerProcess]
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(6.0, count=2)
    device = min(fleet.devices)
    good = encode_chunk(fleet.chunks[device][0])
    zeros = Record(good.key, bytes(3 * MIB), good.headers)
    flood = Record(good.key, good.value, (*good.headers, *(("h", b"") for _ in range(100_000))))
    heavy = Record(good.key, good.value, (*good.headers, ("h", bytes(3 * MIB))))
    keyed = Record(bytes(1_000_000), good.value, good.headers)
    small = Record(good.key, b"\1" * 7, good.headers)
    places = {}
    for name, record in {"zeros": zeros, "flood": flood, "heavy": heavy, "keyed": keyed}.items():
        # Between two that are carried whole.
        batch = batch_of([small, record, small], compression=GZIP)
        places[name] = await _produce(kafka, AUDIO.name, good.key, batch)
    worker = start_worker()
    memory = asyncio.create_task(_peak_mib(worker))

    await fleet.publish(kafka)
    assert_same(await wait_for(kafka, fleet.expected()), fleet.expected())

    assert worker.alive
    assert await _stop(memory) < MAX_RESIDENT_MIB
    letters = {
        (facts["partition"], facts["offset"]): (letter, facts)
        for letter, facts in [(letter, facts_of(letter)) for letter in await _letters(kafka)]
    }
    for name, (partition, offset) in places.items():
        for neighbour in (offset, offset + 2):
            assert original(letters[str(partition), str(neighbour)][0]) == small
        letter, facts = letters[str(partition), str(offset + 1)]
        record = {"zeros": zeros, "flood": flood, "heavy": heavy, "keyed": keyed}[name]
        assert original(letter) is None
        assert (facts["class"], facts["abridged"], facts["topic"]) == ("OversizedRecord", "record", AUDIO.name)
        assert facts["size"] == str(len(record.value or b""))
        assert facts["sha256"] == hashlib.sha256(record.value or b"").hexdigest()
        assert facts["headers"] == str(len(record.headers))
        assert (record.value or b"").startswith(letter.value or b"")
        assert len(letter.value or b"") == 1024
        assert (record.key or b"")[:1024] == letter.key
    assert letters[str(places["keyed"][0]), str(places["keyed"][1] + 1)][1]["key_size"] == "1000000"


@pytest.mark.parametrize("codec", CODECS)
async def test_a_batch_that_decompresses_to_too_much_becomes_one_letter(
    kafka: str, group: str, start_worker: Callable[..., WorkerProcess], codec: str
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(4.0, count=2)
    device = min(fleet.devices)
    good = encode_chunk(fleet.chunks[device][0])
    half = Record(good.key, bytes(BOMB_MIB[codec] * MIB // 2), ())
    batch = batch_of([half, half], compression=CODECS[codec])
    assert len(batch) < AUDIO.max_bytes
    # Topics that every worker follows, and commands read, take 64 KiB.
    tombs = batch_of([Record(good.key, bytes(6 * MIB), ())], compression=GZIP)
    partition, offset = await _produce(kafka, AUDIO.name, good.key, batch)
    await _produce(kafka, DEVICES.name, good.key, tombs)
    worker = start_worker()
    memory = asyncio.create_task(_peak_mib(worker))

    await fleet.publish(kafka)
    assert_same(await wait_for(kafka, fleet.expected()), fleet.expected())

    assert worker.alive
    assert await _stop(memory) < MAX_RESIDENT_MIB
    mine = [
        letter
        for letter in await _letters(kafka)
        if (facts_of(letter)["partition"], facts_of(letter)["offset"]) == (str(partition), str(offset))
    ]
    (letter,) = mine
    facts = facts_of(letter)
    assert (facts["class"], facts["abridged"]) == ("OversizedRecord", "batch")
    assert facts["last_offset"] == str(offset + 1)
    assert facts["size"] == str(len(batch) - HEAD)
    assert facts["sha256"] == hashlib.sha256(batch[HEAD:]).hexdigest()
    assert original(letter) is None


async def test_a_batch_of_too_many_records_becomes_one_letter(
    kafka: str, group: str, start_worker: Callable[..., WorkerProcess]
) -> None:
    await start_group_at_end(kafka, group)
    fleet = Fleet.of_factory(4.0, count=1)
    good = encode_chunk(next(iter(fleet.chunks.values()))[0])
    batch = batch_of([Record(None, b"", ())] * 100_000, compression=GZIP)
    partition, offset = await _produce(kafka, AUDIO.name, good.key, batch)
    worker = start_worker()

    await fleet.publish(kafka)
    assert_same(await wait_for(kafka, fleet.expected()), fleet.expected())

    assert worker.alive
    found = [facts_of(letter) for letter in await _letters(kafka)]
    mine = [f for f in found if f["partition"] == str(partition) and offset <= int(f["offset"]) < offset + 100_000]
    assert [(f["offset"], f["last_offset"]) for f in mine] == [(str(offset), str(offset + 99_999))]


async def _produce(kafka: str, topic: str, key: bytes | None, batch: bytes) -> tuple[int, int]:
    """Sends a batch to the partition of a key; returns the place of its first record."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        before = await producer.send_and_wait(topic, b"x", key=key)
    await produce_raw(kafka, topic, before.partition, batch)
    return before.partition, before.offset + 1


async def _letters(kafka: str) -> list[Record]:
    return [Record(m.key, m.value, tuple(m.headers)) for m in await read_all(kafka, DEADLETTER.name)]


async def _peak_mib(worker: WorkerProcess) -> float:
    peak = 0.0
    process = psutil.Process(worker.pid)
    try:
        while True:
            peak = max(peak, process.memory_info().rss / MIB)
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        return peak


async def _stop(task: asyncio.Task[float]) -> float:
    task.cancel()
    return await task
