"""A run of `tocsin produce`: delivery, progress, summary and exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import typer
from rich.progress import BarColumn, Progress, TextColumn

from connections.kafka import KafkaConnection
from processors.adapters.metrics.address import parse_address
from processors.adapters.metrics.health import Health
from processors.adapters.metrics.server import serve_metrics
from processors.app.logs import configure_logs
from producers.kafka.publisher import Publisher
from producers.player import MAX_CONCURRENT_REALTIME, play_all
from producers.session import chunk_samples
from producers.source import PlaybackJob
from producers.stats import ProducerStats
from schemas.errors import BrokerUnavailable, InputError
from tocsin.addresses import kafka_connection
from tocsin.cli.commands.produce.metrics import ProducerCollector
from tocsin.cli.main import INTERRUPTED
from tocsin.console import terminal
from tocsin.settings import load_settings
from tocsin.terminal import print_error, print_json

_LINE_EVERY_S = 10.0
_REFRESH_S = 0.25
_LIVE_S = 60.0

Work = Callable[[Publisher], Awaitable[None]]


def print_status(line: str) -> None:
    """Prints a line on standard error."""
    print_error(line)


def play(
    jobs: list[PlaybackJob],
    kafka: str | None,
    *,
    realtime: bool,
    chunk_seconds: float,
    json: bool,
    failures: list[str],
) -> None:
    """Runs playback jobs; arguments as the command line gives them.

    Args:
        jobs: what each device plays.
        kafka: the ``--kafka`` option.
        realtime: whether to send at the speed of capture.
        chunk_seconds: length of a chunk, s.
        json: whether the summary is a JSON line.
        failures: messages on files that were refused before.
    """
    for job in jobs:
        for source in job.sources:
            chunk_samples(source.sample_rate, source.channels, chunk_seconds)
    address = kafka_connection(load_settings(), kafka)
    for failure in failures:
        print_status(f"tocsin: {failure}")
    if realtime and len(jobs) > MAX_CONCURRENT_REALTIME:
        print_status(f"{len(jobs)} devices: {MAX_CONCURRENT_REALTIME} play at a time, the others after them")
    stats = ProducerStats(failures=failures)

    async def work(publisher: Publisher) -> None:
        await play_all(jobs, publisher, stats, realtime=realtime, chunk_seconds=chunk_seconds)

    run(address, stats, work, total_s=_total_seconds(jobs), json=json, endless=False)


def _total_seconds(jobs: list[PlaybackJob]) -> float | None:
    lengths = [job.length_ns for job in jobs]
    return sum(length for length in lengths if length is not None) / 1e9 if None not in lengths else None


@dataclass(frozen=True, slots=True)
class _Summary:
    """Result of a run."""

    stats: ProducerStats
    publisher: Publisher
    elapsed_s: float

    def as_json(self) -> dict[str, object]:
        return {
            "devices": len(self.stats.devices),
            "sessions": self.stats.sessions,
            "chunks": self.stats.chunks,
            "samples": self.stats.samples,
            "seconds": round(self.stats.seconds, 3),
            "bytes": self.stats.bytes,
            "clipped_samples": self.stats.clipped,
            "lost_samples": self.stats.lost,
            "undelivered_chunks": self.publisher.undelivered_chunks,
            "elapsed_seconds": round(self.elapsed_s, 3),
            "failures": self.stats.failures,
        }

    def as_text(self) -> str:
        stats = self.stats
        parts = [
            f"devices: {len(stats.devices)}, sessions: {stats.sessions}, chunks: {stats.chunks},"
            f" {stats.seconds:.1f} s of sound ({stats.bytes} bytes) in {self.elapsed_s:.1f} s"
        ]
        if stats.clipped:
            parts.append(f"{stats.clipped} samples were clipped")
        if stats.lost:
            parts.append(f"{stats.lost} samples were lost before they could be read")
        if self.publisher.undelivered_chunks:
            parts.append(f"{self.publisher.undelivered_chunks} chunks were not delivered")
        if stats.failures:
            parts.append(f"{len(stats.failures)} files could not be played to their end")
        return "; ".join(parts)


def run(
    kafka: KafkaConnection, stats: ProducerStats, work: Work, *, total_s: float | None, json: bool, endless: bool
) -> None:
    """Runs until everything is delivered or the run is interrupted, prints the summary and sets the exit code.

    Args:
        kafka: the connection to Kafka.
        stats: what ``work`` counts in.
        work: sends everything.
        total_s: seconds of sound in all; None if it has no end.
        json: whether the summary is a JSON line.
        endless: whether an interruption is the usual end.

    Raises:
        typer.Exit: a file failed, chunks were not delivered, or the run was interrupted.
    """
    publisher = Publisher(kafka)
    health = Health(("kafka",), live_s=_LIVE_S)
    metrics = parse_address(load_settings().metrics)
    began = time.monotonic()
    interrupted = False
    with _progress(stats, total_s) as refresh:
        configure_logs()
        with serve_metrics("producer", metrics, health, (ProducerCollector(stats, publisher),)):
            try:
                asyncio.run(_deliver(publisher, work, refresh, health))
            except (KeyboardInterrupt, asyncio.CancelledError):
                interrupted = True
    summary = _Summary(stats, publisher, time.monotonic() - began)
    if json:
        print_json(summary.as_json())
    else:
        print_status(summary.as_text())
    if stats.failures:
        raise typer.Exit(InputError.exit_code)
    if publisher.undelivered_chunks:
        raise typer.Exit(BrokerUnavailable.exit_code)
    if interrupted and not endless:
        raise typer.Exit(INTERRUPTED)


async def _deliver(publisher: Publisher, work: Work, refresh: Callable[[], None], health: Health) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    async def keep_refreshing() -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            refresh()
            health.beat()
            health.set("kafka", "does not answer" if publisher.kafka_is_away else "")

    async with publisher:
        refreshing = asyncio.create_task(keep_refreshing())
        try:
            await work(publisher)
        finally:
            refreshing.cancel()


@contextlib.contextmanager
def _progress(stats: ProducerStats, total_s: float | None) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal, a plain line every 10 s elsewhere. Yields a function that refreshes it."""
    console = terminal(stderr=True)
    of_total = "" if total_s is None else f" of {total_s:.0f}"
    if not console.is_terminal:
        due = time.monotonic() + _LINE_EVERY_S

        def print_line() -> None:
            nonlocal due
            if time.monotonic() >= due:
                due += _LINE_EVERY_S
                print_status(
                    f"{stats.seconds:.0f}{of_total} s of sound sent, {stats.chunks} chunks,"
                    f" {len(stats.devices)} devices"
                )

        yield print_line
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("connecting", total=total_s)
        yield lambda: progress.update(
            bar, completed=stats.seconds, description=f"{stats.seconds:.0f}{of_total} s, {stats.chunks} chunks"
        )
