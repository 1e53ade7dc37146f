"""Score delays around model swaps in a running fleet, compared with the same fleet without swaps.

A score's delay is its broker timestamp minus that of the chunk that completes its window. Devices send chunks of half a
second, evenly staggered, so that there is always work. Two workers share the devices.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
from aiokafka import AIOKafkaProducer

from benchmarks.result import save
from connections.kafka import KafkaConnection, client_options
from processors.adapters.models.artefact_store import ArtefactStore
from processors.app.options import WorkerOptions
from schemas.artefact import Artefact
from schemas.assignment import ModelStatus
from schemas.chunk import Chunk, decode_chunk, encode_chunk
from schemas.device import Device
from schemas.manifest import MANIFEST_KEY, Manifest
from schemas.scope import Scope
from schemas.score import Score
from schemas.topics import AUDIO, DEVICES, MODEL_STATUS, SCORES
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of
from tocsin.models.publish import announce_artefact, store_model
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics
from tocsin.worker_processes import worker_supervisor

RATE = 16_000
CHUNK_S = 0.5
_SETTLE_S = 5.0


@dataclass
class Phase:
    """A phase of the run.

    Attributes:
        began_ms, ended_ms: this machine's clock, which the broker uses too.
        swaps: digests of announced models, with the time of announcement, milliseconds since 1970.
    """

    began_ms: float = 0.0
    ended_ms: float = 0.0
    swaps: dict[str, float] = field(default_factory=dict)


def versions(folder: Path, count: int) -> list[Path]:
    """Copies of the shipped machine model with other versions."""
    paths = []
    for number in range(count):
        with resources.as_file(resources.files("processors.shipped_models") / "machine.onnx") as path:
            model = onnx.load(str(path))
        for prop in model.metadata_props:
            if prop.key == MANIFEST_KEY:
                manifest = Manifest.model_validate_json(prop.value)
                prop.value = manifest.model_copy(update={"version": f"swap-{number}"}).model_dump_json()
        paths.append(folder / f"{number}.onnx")
        paths[-1].write_bytes(model.SerializeToString())
    return paths


async def publish(kafka: KafkaConnection, devices: int, stop: asyncio.Event) -> None:
    """Publishes noise of machines, evenly staggered over each half second."""
    rng = np.random.default_rng(1)
    pcm = [rng.normal(0, 800, RATE // 2).astype(np.int16).tobytes() for _ in range(16)]
    loop = asyncio.get_running_loop()
    async with AIOKafkaProducer(**client_options(kafka), enable_idempotence=True) as producer:
        for n in range(devices):
            record = Device(device_id=f"d{n}", kind="machine", sample_rate=RATE).to_record()
            await producer.send_and_wait(DEVICES.name, record.value, key=record.key, headers=list(record.headers))
        began, sent = loop.time(), 0
        while not stop.is_set():
            number, n = divmod(sent, devices)
            chunk = Chunk(f"d{n}", "s", number, number * RATE // 2, RATE, 1, 10**18, pcm[(n + number) % 16])
            record = encode_chunk(chunk)
            await producer.send(AUDIO.name, record.value, key=record.key, headers=list(record.headers))
            sent += 1
            await asyncio.sleep(max(0.0, began + sent * CHUNK_S / devices - loop.time()))


def _now_ms() -> float:
    return time.time() * 1e3


async def run(stack: Stack, folder: Path, devices: int, seconds: float, swaps: int) -> tuple[Phase, Phase]:
    """Runs a phase without swaps and one with."""
    store = ArtefactStore(folder / "store")
    artefacts = [store_model(path, store, None)[0] for path in versions(folder, swaps + 1)]
    options = WorkerOptions(stack.connection, stack.redis_url, model_store=store.url, model_cache=folder / "cache")
    workers = worker_supervisor(options, 2)
    stop = asyncio.Event()
    await announce_artefact(artefacts[0], stack.connection, Scope("all"), "champion", "")
    running = asyncio.create_task(workers.run())
    publishing = asyncio.create_task(publish(stack.connection, devices, stop))
    quiet, busy = Phase(), Phase()
    try:
        await _ready(stack.connection, artefacts[0])
        await asyncio.sleep(_SETTLE_S * 2)
        quiet.began_ms = _now_ms()
        await asyncio.sleep(seconds)
        quiet.ended_ms = busy.began_ms = _now_ms()
        for artefact in artefacts[1:]:
            busy.swaps[artefact.sha256] = _now_ms()
            await announce_artefact(artefact, stack.connection, Scope("all"), "champion", "")
            await asyncio.sleep(seconds / swaps)
        await asyncio.sleep(_SETTLE_S)
        busy.ended_ms = _now_ms()
    finally:
        stop.set()
        await publishing
        await asyncio.sleep(_SETTLE_S)
        workers.stop()
        await running
    return quiet, busy


async def _ready(kafka: KafkaConnection, artefact: Artefact) -> None:
    async with asyncio.timeout(60.0), consumer_of(kafka, [MODEL_STATUS]) as consumer:
        workers: set[str] = set()
        while len(workers) < 2:
            for batch in (await consumer.getmany(timeout_ms=100)).values():
                statuses = [ModelStatus.from_record(record_of(message)) for message in batch]
                workers |= {one.worker for one in statuses if one.state == "ready" and one.sha256 == artefact.sha256}


async def figures(kafka: KafkaConnection, quiet: Phase, busy: Phase) -> dict[str, object]:
    """Delays and gaps of both phases, and how fast swaps took effect."""
    chunks: dict[str, list[int]] = defaultdict(list)
    async with consumer_of(kafka, [AUDIO]) as consumer:
        async for message in read_to_end(consumer):
            chunks[decode_chunk(record_of(message)).device_id].append(message.timestamp)
    scores: list[tuple[int, float, str]] = []
    async with consumer_of(kafka, [SCORES]) as consumer:
        async for message in read_to_end(consumer):
            score = Score.from_record(record_of(message))
            completing = chunks[score.device_id][(score.end_sample - 1) // (RATE // 2)]
            scores.append((message.timestamp, message.timestamp - completing, score.model.sha256))
    scores.sort()
    ready: dict[str, list[float]] = defaultdict(list)
    async with consumer_of(kafka, [MODEL_STATUS]) as consumer:
        async for message in read_to_end(consumer):
            status = ModelStatus.from_record(record_of(message))
            if status.state == "ready":
                ready[status.sha256].append(status.at_ns / 1e6)
    taken = [max(ready[sha256]) - at for sha256, at in busy.swaps.items()]
    apart = [max(ready[sha256]) - min(ready[sha256]) for sha256 in busy.swaps]
    return {
        "without_swaps": _phase_figures(scores, quiet),
        "with_swaps": _phase_figures(scores, busy),
        "announced_to_ready_in_both_workers_s": {
            "median": round(float(np.median(taken)) / 1e3, 2), "longest": round(max(taken) / 1e3, 2)
        },
        "two_workers_apart_s": round(max(apart) / 1e3, 2),
        "versions_that_scored": len({sha256 for _, _, sha256 in scores} & set(busy.swaps)),
    }  # fmt: skip


def _phase_figures(scores: list[tuple[int, float, str]], phase: Phase) -> dict[str, float]:
    inside = [(at, delay) for at, delay, _ in scores if phase.began_ms <= at <= phase.ended_ms]
    delays = np.array([delay for _, delay in inside])
    gaps = np.diff([at for at, _ in inside])
    return {
        "scores": len(inside),
        "median_delay_ms": round(float(np.median(delays)), 1),
        "delay_of_99_in_100_ms": round(float(np.quantile(delays, 0.99)), 1),
        "longest_delay_ms": float(delays.max()),
        "longest_time_between_scores_ms": float(gaps.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--swaps", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        create_topics(stack.connection)
        phases = asyncio.run(run(stack, Path(folder), options.devices, options.seconds, options.swaps))
        found = asyncio.run(figures(stack.connection, *phases))
    save("swap", {"devices": options.devices, "swaps": options.swaps, "phase_s": options.seconds, **found})


if __name__ == "__main__":
    main()
