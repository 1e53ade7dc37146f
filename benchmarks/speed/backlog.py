"""A backlog of any chunk size: a worker's memory, and how its commits go on while it is behind.

``--chunk-kib 512 --megabytes 1200`` is the largest chunk the contract allows; ``--random-devices 1`` sends every chunk
under a device id of its own, which no manifest announces.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.result import save
from connections.kafka import KafkaConnection
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.topics import AUDIO, DEADLETTER, DEVICES
from tocsin.addresses import environment_of
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics

_GROUP = "backlog"
_POLL_S = 0.5


async def publish(kafka: KafkaConnection, options: argparse.Namespace) -> int:
    """Publishes the backlog, noise of ``--devices`` announced devices; returns the number of chunks."""
    rate, channels = (96_000, 2) if options.chunk_kib > 32 else (16_000, 1)
    samples = options.chunk_kib * 1024 // (2 * channels)
    pcm = np.random.default_rng(1).normal(0, 800, samples * channels).astype("<i2").tobytes()
    chunks: int = options.megabytes * 1024 // options.chunk_kib
    async with AIOKafkaProducer(**kafka.client_options(), enable_idempotence=True, max_request_size=2**21) as producer:
        for n in range(options.devices):
            record = Device(device_id=f"d{n}", kind="machine").to_record()
            await producer.send_and_wait(DEVICES.name, record.value, key=record.key, headers=list(record.headers))
        sent = []
        turns = Counter[str]()
        for number in range(chunks):
            name = f"d{number % options.devices}"
            if number % 1_000 < 1_000 * options.random_devices:
                name = f"r{number}"
            turn = turns[name]
            turns[name] += 1
            record = encode_chunk(Chunk(name, "s", turn, turn * samples, rate, channels, 10**18, pcm))
            sent.append(await producer.send(AUDIO.name, record.value, key=record.key, headers=list(record.headers)))
            if len(sent) == 64:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)
    return chunks


async def observe(
    kafka: KafkaConnection, worker: subprocess.Popen[bytes], chunks: int, timeout_s: float
) -> dict[str, float]:
    """Samples memory and commits until all but each device's last windows are committed."""
    process = psutil.Process(worker.pid)
    peak, handled, longest, began = 0, 0, 0.0, 0.0
    async with AIOKafkaConsumer(**kafka.client_options(), group_id=_GROUP, enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(AUDIO.name, number) for number in range(AUDIO.partitions)]
        last = time.monotonic()
        deadline = last + timeout_s
        while time.monotonic() < deadline and worker.poll() is None:
            peak = max(peak, process.memory_info().rss)
            committed = sum([await consumer.committed(tp) or 0 for tp in partitions])
            now = time.monotonic()
            if committed > handled:
                longest = max(longest, now - last if began else 0.0)
                began = began or now
                last, handled = now, committed
            if handled >= chunks:
                break
            await asyncio.sleep(_POLL_S)
        letters = await consumer.end_offsets(
            [TopicPartition(DEADLETTER.name, number) for number in range(DEADLETTER.partitions)]
        )
    return {
        "peak_mib": round(peak / 2**20), "committed": handled, "seconds": round(last - began, 1),
        "chunks_per_s": round(handled / max(last - began, 0.1), 1), "longest_without_commit_s": round(longest, 1),
        "dead_letters": sum(letters.values()),
    }  # fmt: skip


def measure(options: argparse.Namespace) -> dict[str, float]:
    """One backlog through one worker."""
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        create_topics(stack.connection)
        chunks = asyncio.run(publish(stack.connection, options))
        command = [sys.executable, "-m", "tocsin", "worker", "--group", _GROUP]
        command += ["--kafka", stack.bootstrap, "--redis", stack.redis_url]
        with (Path(folder) / "worker.log").open("wb") as log:
            environment = {**os.environ, **environment_of(stack.connection)}
            worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            return {"chunks": chunks, **asyncio.run(observe(stack.connection, worker, chunks, options.timeout_s))}
        finally:
            worker.kill()
            worker.wait()
            if options.show_log:
                print((Path(folder) / "worker.log").read_text()[-3_000:], file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--chunk-kib", type=int, default=16)
    parser.add_argument("--devices", type=int, default=24)
    parser.add_argument("--random-devices", type=float, default=0.0, help="share of chunks with an id of their own")
    parser.add_argument("--timeout-s", type=float, default=300.0)
    parser.add_argument("--show-log", action="store_true", help="print the end of the worker's log")
    options = parser.parse_args()
    save("backlog", {**vars(options), **measure(options)})


if __name__ == "__main__":
    main()
