"""One run: a stack, workers, devices and a schedule, from the start to the evidence."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.device_plan import EXCEPTIONAL, DevicePlan
from benchmarks.faults.intruder import Intruder
from benchmarks.faults.observer import AUDIO, Observer, read_commits, read_topic
from benchmarks.faults.oracle.evidence import Evidence, Message, Told
from benchmarks.faults.oracle.judgement import unscored
from benchmarks.faults.player import Player
from benchmarks.faults.schedule import Action
from benchmarks.faults.services import Services
from benchmarks.faults.workers import Worker, Workers
from connections.kafka import KafkaConnection
from producers.kafka.publisher import Publisher
from schemas import topics
from tocsin.addresses import environment_of
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics

GROUP = "faults"
_WORKERS, _MOST_WORKERS = 2, 3
_READY_S, _DRAIN_S, _SETTLE_S, _HEAL_S = 90.0, 120.0, 4.0, 90.0
_SHIPPED = Path(__file__).parents[2] / "processors" / "shipped_models"

Tell = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """One run in a folder of its own.

    Attributes:
        folder: of the stack, models and logs.
        seed: of the schedule.
        seconds: that the devices sound.
        plans: the devices.
        schedule: the faults.
        tell: called with a line on each step.
    """

    folder: Path
    seed: int
    seconds: float
    plans: Sequence[DevicePlan]
    schedule: Sequence[Action]
    tell: Tell
    performed: list[str] = field(default_factory=list)

    def carry_out(self) -> Evidence:
        """Starts everything, plays, heals, drains and reads the topics; leaves no process.

        Raises:
            SystemExit: the workers do not become ready.
        """
        (self.folder / "store").mkdir(parents=True)
        with Stack(self.folder / "stack") as stack:
            create_topics(stack.connection)
            workers = Workers(
                ["worker", "--with-parent", "--kafka", stack.bootstrap, "--redis", stack.redis_url, "--group", GROUP],
                {
                    "TOCSIN_DATA": str(self.folder / "stack"),
                    "TOCSIN_MODEL_STORE": str(self.folder / "store"),
                    "TOCSIN_MODEL_CACHE": str(self.folder / "cache"),
                },
                self.folder,
            )
            try:
                return asyncio.run(self._carry_out(stack, workers))
            finally:
                workers.end()

    async def _carry_out(self, stack: Stack, workers: Workers) -> Evidence:
        services = Services(stack)
        machines = [plan.name for plan in self.plans if plan.kind == "machine" and plan.habit not in EXCEPTIONAL]
        rng = random.Random(f"intruder {self.seed}")  # noqa: S311 - a schedule, no secret
        intruder = Intruder(stack.connection, self.folder / "store", machines, rng)
        for _ in range(_WORKERS):
            workers.join()
        await self._until_ready(workers)
        observer = Observer(
            stack.connection,
            GROUP,
            topics.AUDIO.partitions,
            lambda: {w.name: rss for w in workers.running() if (rss := w.rss_mib()) is not None},
            lambda: services.kafka_up and any(worker.is_ready for worker in workers.running()),
        )
        watching = [asyncio.create_task(observer.watch()), asyncio.create_task(workers.watch())]
        produced = RealProducer(stack.connection, self.folder, self.seed)
        try:
            produced.start()
            self.tell(f"seed {self.seed}: {len(self.plans)} devices sound for {self.seconds:g} s")
            undelivered = await self._play(stack, workers, services, intruder, produced)
            watching[0].cancel()
            await asyncio.to_thread(produced.stop)
            while len(workers.running()) < _WORKERS:
                workers.join()
            self.tell(f"seed {self.seed}: the devices are silent; waiting for the last scores")
            told = Told(
                intruder.broken, frozenset(p.name for p in self.plans if p.habit in EXCEPTIONAL), (), undelivered
            )
            await self._drain(stack.connection, told)
        finally:
            produced.end()
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        for worker in workers.running():
            await workers.stop(worker, restart=False)
        evidence = await self._read(stack.connection, observer, told, tuple(workers.ended))
        self.tell(f"seed {self.seed}: {len(evidence.audio)} records of audio, {len(evidence.scores)} of scores")
        return evidence

    async def _until_ready(self, workers: Workers) -> None:
        deadline = time.monotonic() + _READY_S
        while not all(worker.is_ready for worker in workers.running()):
            if time.monotonic() > deadline:
                raise SystemExit(f"the workers are not ready after {_READY_S:g} s; their logs are in {self.folder}")
            await asyncio.sleep(0.2)

    async def _play(
        self, stack: Stack, workers: Workers, services: Services, intruder: Intruder, produced: RealProducer
    ) -> int:
        """Plays the devices and the schedule; returns how many chunks were not delivered."""
        faults: list[asyncio.Task[None]] = []
        publisher = Publisher(stack.connection)
        await publisher.start()
        try:
            playing = [asyncio.create_task(Player(plan, publisher).play(self.seconds)) for plan in self.plans]
            began = time.monotonic()
            for action in self.schedule:
                await asyncio.sleep(max(0.0, began + action.at_s - time.monotonic()))
                self.tell(f"seed {self.seed}: {action.text()}")
                self.performed.append(action.text())
                faults.append(asyncio.create_task(perform(action, workers, services, intruder, produced)))
            await asyncio.gather(*playing)
            async with asyncio.timeout(_HEAL_S):
                await asyncio.gather(*faults)
        finally:
            for task in faults:
                task.cancel()
            await asyncio.gather(*faults, return_exceptions=True)
            undelivered = await publisher.close(_HEAL_S)
        return undelivered

    async def _drain(self, kafka: KafkaConnection, told: Told) -> None:
        audio, devices = await read_topic(kafka, AUDIO), await read_topic(kafka, topics.DEVICES.name)
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline:
            scores = await read_topic(kafka, topics.SCORES.name)
            if not unscored(self._evidence(audio, scores, devices, told)):
                break
            await asyncio.sleep(2.0)
        await asyncio.sleep(_SETTLE_S)

    def _evidence(
        self, audio: Sequence[Message], scores: Sequence[Message], devices: Sequence[Message], told: Told
    ) -> Evidence:
        folders = (_SHIPPED, self.folder / "store")
        return Evidence(audio, scores, (), (), (), devices, (), (), folders, _SHIPPED / "detectors.json", told)

    async def _read(self, kafka: KafkaConnection, observer: Observer, told: Told, ended: tuple[str, ...]) -> Evidence:
        audio, scores, alerts, notices, letters, devices = [
            await read_topic(kafka, topic.name)
            for topic in (
                topics.AUDIO,
                topics.SCORES,
                topics.ALERTS,
                topics.NOTICES,
                topics.DEADLETTER,
                topics.DEVICES,
            )
        ]
        return Evidence(
            audio,
            scores,
            alerts,
            notices,
            letters,
            devices,
            await read_commits(kafka, GROUP),
            observer.samples,
            (_SHIPPED, self.folder / "store"),
            _SHIPPED / "detectors.json",
            Told(told.broken, told.exceptional, ended, told.undelivered),
        )


class RealProducer:
    """``tocsin produce synthetic``, as a user runs it, killed and started again.

    Args:
        kafka: the connection to Kafka.
        folder: for its log.
        seed: of its sound.
    """

    def __init__(self, kafka: KafkaConnection, folder: Path, seed: int) -> None:
        self._command = [sys.executable, "-m", "tocsin", "produce", "synthetic", "--seed", str(seed)]
        self._environment = {**os.environ, **environment_of(kafka)}
        self._log = folder / "produce.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, with new sessions."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._environment
            )

    def kill_and_restart(self) -> None:
        """SIGKILL, and another one."""
        self.end()
        self.start()

    def stop(self, timeout_s: float = 40.0) -> None:
        """Ctrl-C: what it has is delivered."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.end()

    def end(self) -> None:
        """It is gone afterwards."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


async def perform(
    action: Action, workers: Workers, services: Services, intruder: Intruder, produced: RealProducer
) -> None:
    """Carries out one fault and heals it."""
    name, lasts = action.name, action.lasts_s
    if name.startswith("worker-"):
        await _worker_fault(action, workers)
    elif name in ("kafka-kill", "kafka-stop"):
        await services.kafka_away(lasts, kill=name == "kafka-kill")
    elif name == "redis-kill":
        await services.redis_away(lasts)
    elif name == "redis-pause":
        await services.redis_paused(lasts)
    elif name == "redis-slow":
        await services.redis_slow(lasts)
    elif name == "redis-full":
        await services.redis_full(lasts)
    elif name == "redis-flush":
        await services.redis_flushed()
    elif name == "broken-records":
        await intruder.send_broken(action.amount)
    elif name == "zeros":
        await intruder.send_zeros(action.amount)
    elif name == "flood":
        await intruder.flood(action.amount)
    elif name.startswith("model-"):
        await intruder.assign(name.removeprefix("model-"), action.target)
    elif name == "policy":
        await intruder.set_policy(action.target)
    elif name == "feedback":
        await intruder.give_feedback(action.target)
    elif name == "producer-kill":
        await asyncio.to_thread(produced.kill_and_restart)
    else:
        raise ValueError(f"no fault {name!r}: draw it from benchmarks.faults.schedule.FAULTS")


async def _worker_fault(action: Action, workers: Workers) -> None:
    running = [worker for worker in workers.running() if not worker.paused]
    if action.name == "worker-join":
        if len(workers.running()) < _MOST_WORKERS:
            workers.join()
        return
    if not running:
        return
    worker: Worker = running[action.target % len(running)]
    if action.name == "worker-kill":
        await workers.kill(worker)
    elif action.name == "worker-stop":
        await workers.stop(worker, restart=True)
    elif action.name == "worker-pause":
        await workers.pause(worker, action.lasts_s)
    elif len(running) > 1:
        await workers.stop(worker, restart=False)
