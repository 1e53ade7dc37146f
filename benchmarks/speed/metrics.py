"""CPU cost of counting and of serving metrics in a worker's pipeline, with and without, batch by batch in one run.

Two pipelines with the shipped models and states in memory handle the same batches in turn; one counts. The cost of a
request over HTTP is added as if a worker at its full load were asked every 15 s.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import asyncio
import logging
import statistics
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import structlog

from benchmarks.result import save
from processors.adapters.metrics.address import Address
from processors.adapters.metrics.health import Health
from processors.adapters.metrics.server import serve_metrics
from processors.adapters.metrics.stream_collector import StreamCollector
from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import load_shipped_models
from processors.adapters.redis.state_store import MemoryStates
from processors.core.accounting.coverage import Coverage, Settled
from processors.core.models.assignments import ModelAssignments
from processors.core.windowing import segment
from processors.stream.accounting import Accounting
from processors.stream.batch_scorer import BatchScorer
from processors.stream.decision_contexts import DecisionContexts, NoPolicies
from processors.stream.delivery import Delivery
from processors.stream.pipeline import Pipeline
from processors.stream.states import States
from schemas.chunk import Chunk, encode_chunk
from schemas.record import Record
from schemas.topics import AUDIO
from schemas.unfinished import UnfinishedSegment

RATE, DEVICES, CHUNKS, TURNS = 16_000, 32, 60, 21
ASKED_EVERY_S = 15.0
_COUNTING = ("received", "rejected", "skipped", "arrived", "settle", "closed", "forgotten", "sent")


class NoCoverage(Coverage):
    """Counts nothing."""

    def cover(self, first: int, end: int) -> None:
        """Nothing."""

    def settle(self, until: int) -> Settled:  # noqa: ARG002
        """Nothing."""
        return Settled(0, 0)


class NoUnfinished:
    """Nothing is stored: no device holds commits back."""

    async def store(self, segments: Sequence[UnfinishedSegment]) -> None:
        """Nothing."""

    async def load(self, partitions: Sequence[int]) -> list[UnfinishedSegment]:  # noqa: ARG002
        """None."""
        return []

    async def read(self, partition: int, offsets: Sequence[int]) -> list[tuple[int, Record]]:  # noqa: ARG002
        """None."""
        return []


class Manifests:
    """No device has announced itself."""

    def get(self, device_id: str) -> None:
        """None."""

    async def catch_up(self) -> None:
        """There is nothing to read."""


def pipeline_with(accounting: Accounting, executor: ThreadPoolExecutor) -> Pipeline:
    """A worker's pipeline without Kafka and Redis."""
    detectors = load_detectors()

    async def send(_: object) -> None:
        pass

    async def send_scores(_: object) -> dict[int, int]:
        return {}

    return Pipeline(
        scorer=BatchScorer(),
        contexts=DecisionContexts(NoPolicies(), lambda _: "machine", AUDIO.name, detectors),
        feedback_of=lambda *_: (),
        states=States(MemoryStates()),
        manifests=Manifests(),
        model_sets=ModelAssignments(load_shipped_models(detectors)),
        detectors=detectors,
        send=send,
        send_scores=send_scores,
        unfinished=NoUnfinished(),
        executor=executor,
        default_kind="machine",
        accounting=accounting,
    )


def records() -> list[list[Record]]:
    """A batch of one chunk of each device, for every chunk."""
    rng = np.random.default_rng(1)
    pcm = [rng.normal(0, 800, RATE // 2).astype(np.int16).tobytes() for _ in range(16)]
    return [
        [
            encode_chunk(
                Chunk(
                    f"d{n}",
                    "s",
                    number,
                    number * RATE // 2,
                    RATE,
                    1,
                    10**18 + number * 5 * 10**8,
                    pcm[(n + number) % 16],
                )
            )
            for n in range(DEVICES)
        ]
        for number in range(CHUNKS)
    ]


async def turn(pipelines: dict[bool, Pipeline], batches: list[list[Record]]) -> dict[bool, float]:
    """CPU seconds of each pipeline for the same batches, handled in turn."""
    taken = {True: 0.0, False: 0.0}
    for number, batch in enumerate(batches):
        first = number * DEVICES
        deliveries = [Delivery(0, first + n, 10**12 + 500 * number, one, lambda: None) for n, one in enumerate(batch)]
        for counts in (True, False) if number % 2 else (False, True):
            vars(segment)["Coverage"] = Coverage if counts else NoCoverage
            began = time.process_time()
            await pipelines[counts].handle(deliveries, lambda: True)
            taken[counts] += time.process_time() - began
    return taken


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    batches, silent, counting = records(), Accounting(), Accounting()
    for name in _COUNTING:
        setattr(silent, name, lambda *_: None)
    turns, requests = [], []
    with (
        ThreadPoolExecutor(1) as executor,
        serve_metrics("worker", Address("127.0.0.1", 0), Health(), [StreamCollector(counting.counts)]) as endpoint,
    ):
        for _ in range(TURNS + 1):
            pipelines = {True: pipeline_with(counting, executor), False: pipeline_with(silent, executor)}
            turns.append(asyncio.run(turn(pipelines, batches)))
            began = time.process_time()
            urllib.request.urlopen(str(endpoint.url)).read()  # noqa: S310
            requests.append(time.process_time() - began)
    turns, requests = turns[1:], requests[1:]  # the first one warms up
    ratios = [taken[True] / taken[False] for taken in turns]
    request_s = statistics.median(requests)
    save(
        "metrics",
        {
            "devices": DEVICES, "seconds_each": CHUNKS / 2, "turns": TURNS,
            "cpu_s_without": round(statistics.median(taken[False] for taken in turns), 4),
            "counting_ratio": round(statistics.median(ratios), 4),
            "counting_ratio_quartiles": [round(one, 4) for one in statistics.quantiles(ratios, n=4)[::2]],
            "request_ms": round(1e3 * request_s, 2),
            "cost_percent": round(100 * (statistics.median(ratios) - 1 + request_s / ASKED_EVERY_S), 2),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
