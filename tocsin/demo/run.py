"""A run of the demo: workers, players and live view, and their orderly shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from rich.console import RenderableType
from rich.live import Live

from connections.kafka import KafkaConnection
from processors.app.options import WorkerOptions
from producers.kafka.publisher import Publisher
from producers.player import play_all
from producers.sources.synthetic import synthetic_jobs
from producers.stats import ProducerStats
from schemas.alert import Alert
from schemas.score import Score
from schemas.topics import ALERTS, SCORES
from synthesis.device import SyntheticDevice
from synthesis.factory import demo_factory
from tocsin.client.topic_reader import consumer_of, follow, record_of
from tocsin.console import PlainConsole
from tocsin.demo.device_model import MIN_RUN_S, TRAIN_AT_S, train_during_run
from tocsin.demo.fleet_view import DeviceView, FleetView
from tocsin.demo.outcome import DemoOutcome, assess
from tocsin.demo.screen import draw, plain_line, plain_status
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics
from tocsin.worker_processes import worker_supervisor

_REFRESH_S = 0.25
_PLAIN_STATUS_S = 10.0
_CATCH_UP_S = 20.0
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of the demo.

    Attributes:
        seed: of all sound.
        seconds: how long the factory plays.
        processes: number of worker processes.
        worker_log: file for the workers' logs.
    """

    seed: int
    seconds: float
    processes: int
    worker_log: Path


class DemoRun:
    """One run of the demo.

    Args:
        options: of the run.
        console: for the live view; plain lines unless it is a terminal.

    Attributes:
        factory: the synthetic devices.
        view: scores and alerts so far.
        snapshot: the rendered view when most alerts were open; None before the first alert.
    """

    def __init__(self, options: DemoOptions, console: PlainConsole) -> None:
        self.options = options
        self.console = console
        self.factory: tuple[SyntheticDevice, ...] = demo_factory(options.seed)
        self.view = FleetView({d.device_id: DeviceView(d.device_id, d.kind) for d in self.factory})
        self._began = time.monotonic()
        self.snapshot: RenderableType | None = None

    async def run(self, stack: Stack) -> DemoOutcome:
        """Plays the factory through a running stack and compares its alerts with the expected ones.

        Raises:
            TocsinError: a service or worker cannot run.
        """
        await asyncio.to_thread(create_topics, stack.connection)
        with self.options.worker_log.open("wb") as log:
            store = stack.data / "models"
            worker = WorkerOptions(
                kafka=stack.connection,
                redis_url=stack.redis_url,
                group="tocsin-demo",
                model_store=str(store),
                model_cache=stack.data / "models-cache",
            )
            supervisor = worker_supervisor(worker, self.options.processes, log.fileno())
            async with consumer_of(stack.connection, [SCORES, ALERTS]) as consumer, asyncio.TaskGroup() as group:
                background = [
                    group.create_task(supervisor.run()),
                    group.create_task(self._follow(consumer)),
                    group.create_task(self._watch(stack)),
                ]
                async with self._display():
                    self._began = time.monotonic()
                    training = group.create_task(self._train_device_model(stack.connection, str(store)))
                    await self._play(stack.connection)
                    await self._catch_up()
                    training.cancel()
                supervisor.stop()
                await background[0]
                for task in background[1:]:
                    task.cancel()
        return assess(self.factory, self.view)

    async def _play(self, bootstrap: KafkaConnection) -> None:
        jobs = synthetic_jobs(seed=self.options.seed, seconds=self.options.seconds)
        publisher = Publisher(bootstrap)
        async with publisher:
            await play_all(jobs, publisher, ProducerStats(), realtime=True)

    async def _train_device_model(self, bootstrap: KafkaConnection, store: str) -> None:
        """Trains a model on one device's own sound, which replaces the shipped one during the run."""
        if self.options.seconds >= MIN_RUN_S:
            await asyncio.sleep(TRAIN_AT_S)
            await train_during_run(bootstrap, store, self.options.worker_log.parent)

    async def _catch_up(self) -> None:
        """Waits until all sound is scored and no further score arrives, or none has arrived for 20 s."""
        end = int(self.options.seconds * 16_000)
        last = time.monotonic()
        counted = 0
        while (idle := time.monotonic() - last) < _CATCH_UP_S:
            windows = sum(row.windows for row in self.view.devices.values())
            if windows != counted:
                counted, last = windows, time.monotonic()
            elif idle > _QUIET_S and all(self._is_done(row, end) for row in self.view.devices.values()):
                return
            await asyncio.sleep(_REFRESH_S)

    @staticmethod
    def _is_done(row: DeviceView, end: int) -> bool:
        # No further window fits behind one that ends less than a second, the longest hop, before the sound does.
        latest = row.latest
        return latest is not None and latest.first_sample + latest.n_samples > end - latest.sample_rate

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        most_open = 0
        async for message in follow(consumer):
            record = record_of(message)
            if message.topic == SCORES.name:
                self.view.add_score(Score.from_record(record))
                continue
            alert = Alert.from_record(record)
            if not self.view.add_alert(alert):
                continue
            if not self.console.is_terminal:
                self.console.print_text(f"{self._elapsed():5.1f} s  {plain_line(alert)}")
            open_now = sum(row.alert is not None for row in self.view.devices.values())
            if open_now >= most_open:
                most_open, self.snapshot = open_now, self.render()

    @staticmethod
    async def _watch(stack: Stack) -> None:
        """Ends the run when a service of the stack has died."""
        while True:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(stack.check)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    @contextlib.asynccontextmanager
    async def _display(self) -> AsyncIterator[None]:
        if self.console.is_terminal:
            with Live(console=self.console, auto_refresh=False, screen=False) as screen:
                drawing = asyncio.create_task(self._draw(screen))
                try:
                    yield
                finally:
                    drawing.cancel()
                    screen.update(self.render(), refresh=True)
        else:
            printing = asyncio.create_task(self._print_status())
            try:
                yield
            finally:
                printing.cancel()

    async def _draw(self, screen: Live) -> None:
        while True:
            screen.update(self.render(), refresh=True)
            await asyncio.sleep(_REFRESH_S)

    async def _print_status(self) -> None:
        while True:
            self.console.print_text(f"{self._elapsed():5.1f} s  {plain_status(self.view)}")
            await asyncio.sleep(_PLAIN_STATUS_S)

    def render(self) -> RenderableType:
        """The present live view, for rich to print."""
        left = max(0.0, self.options.seconds - self._elapsed())
        windows = sum(row.windows for row in self.view.devices.values())
        return draw(
            self.view,
            f"Tocsin · synthetic factory · {self._elapsed():.0f} s",
            f"{windows} windows scored · {left:.0f} s of sound left · Ctrl-C stops",
        )
