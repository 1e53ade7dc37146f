"""Throughput of worker processes on a backlog with real Kafka and Redis: seconds of audio per second."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaProducer

from benchmarks.result import save
from connections.kafka import KafkaConnection, client_options
from processors.app.options import WorkerOptions
from processors.app.supervisor import Supervisor
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.topics import AUDIO, DEVICES, SCORES
from tocsin.client.topic_reader import consumer_of
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics
from tocsin.worker_processes import worker_supervisor

RATE = 16_000
_TIMEOUT_S = 300.0


async def publish(kafka: KafkaConnection, devices: int, seconds: int) -> None:
    """Publishes noise of half rooms, half machines, in chunks of half a second."""
    rng = np.random.default_rng(1)
    pcm = [rng.normal(0, 800, RATE // 2).astype(np.int16).tobytes() for _ in range(16)]
    async with AIOKafkaProducer(**client_options(kafka), enable_idempotence=True, max_request_size=2**21) as producer:
        for n in range(devices):
            record = Device(device_id=f"d{n}", kind="room" if n % 2 else "machine", sample_rate=RATE).to_record()
            await producer.send_and_wait(DEVICES.name, record.value, key=record.key, headers=list(record.headers))
        for number in range(2 * seconds):
            sent = []
            for n in range(devices):
                chunk = Chunk(f"d{n}", "s", number, number * RATE // 2, RATE, 1, 10**18, pcm[(n + number) % 16])
                record = encode_chunk(chunk)
                sent.append(await producer.send(AUDIO.name, record.value, key=record.key, headers=list(record.headers)))
            await asyncio.gather(*sent)


async def scored(kafka: KafkaConnection, expected: int) -> float:
    """Seconds between the first score and the last of ``expected``."""
    async with consumer_of(kafka, [SCORES]) as consumer:
        count, began = 0, 0.0
        while count < expected:
            batches = await consumer.getmany(timeout_ms=100)
            count += sum(len(batch) for batch in batches.values())
            began = began or (time.perf_counter() if count else 0.0)
        return time.perf_counter() - began


async def measure(workers: Supervisor, kafka: KafkaConnection, expected: int) -> float:
    """Runs workers until all windows are scored; see :func:`scored`."""
    running = asyncio.create_task(workers.run())
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await scored(kafka, expected)
    finally:
        workers.stop()
        await running


def expected_windows(devices: int, seconds: int) -> int:
    """Scream windows of the odd devices and machine windows of the even ones."""
    samples = seconds * RATE
    scream = (samples - (47 * 320 + 1024)) // (12 * 320) + 1
    machine = (samples - (95 * 320 + 1024)) // (48 * 320) + 1
    return devices // 2 * scream + (devices - devices // 2) * machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        create_topics(stack.connection)
        asyncio.run(publish(stack.connection, options.devices, options.seconds))
        expected = expected_windows(options.devices, options.seconds)
        workers = worker_supervisor(WorkerOptions(stack.connection, stack.redis_url), options.processes)
        taken = asyncio.run(measure(workers, stack.connection, expected))
    audio_s = options.devices * options.seconds
    save(
        "worker",
        {
            "devices": options.devices, "seconds_each": options.seconds, "processes": options.processes,
            "windows": expected, "taken_s": round(taken, 2), "sound_s_per_s": round(audio_s / taken, 1),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
