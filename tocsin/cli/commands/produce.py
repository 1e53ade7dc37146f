"""`tocsin produce`: sound from files, sensors, microphones and synthetic machines into Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import json as jsonlib
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from processors.app.logs import configure_logs
from producers.devices import check_device, check_regime, device_name, expand, parts_of, usable
from producers.kafka.connection import Connection
from producers.kafka.publisher import Publisher
from producers.player import TOGETHER_REALTIME, play_all
from producers.session import DEFAULT_CHUNK_SECONDS, chunk_samples
from producers.source import PlaybackJob
from producers.sources.file import AudioFile
from producers.sources.microphone import CaptureOptions, capture, check_input, list_inputs
from producers.sources.sensor import SensorOptions, on_one_scale, read_sensor
from producers.sources.synthetic import synthetic_parts
from producers.stats import ProducerStats
from schemas.device import DEVICE_KINDS, Device, DeviceKind
from schemas.errors import BrokerUnavailable, InputError, SettingsError
from tocsin.addresses import kafka_address
from tocsin.settings import load_settings

INTERRUPTED = 130
_LINE_EVERY_S = 10.0
_SHOW_EVERY_S = 0.25

# Paths are readable=False below: typer would refuse what may not be read without a word on what to do; the sources do.
produce = typer.Typer(name="produce", add_completion=False, help="Send sound to Kafka.", no_args_is_help=True)

Work = Callable[[Publisher], Awaitable[None]]
Kafka = Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")]
DeviceId = Annotated[str | None, typer.Option(help="Play everything as the sessions of this one device.")]
Kind = Annotated[str, typer.Option(help="What it listens to: machine or room.")]
Realtime = Annotated[bool, typer.Option("--realtime/--fast", help="By the clock, or as fast as it goes.")]
ChunkSeconds = Annotated[float, typer.Option(help="Length of a chunk, 0.25 to 2 s.")]
Loop = Annotated[int, typer.Option(help="How often everything is played.")]
Regime = Annotated[
    str, typer.Option(help="Its way of working, such as night or fast; workers may judge each by itself.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON line.")]


@produce.command("file")
def produce_file(
    paths: Annotated[
        list[Path], typer.Argument(readable=False, help="Audio files, or folders of them: each file is a device.")
    ],
    kafka: Kafka = None,
    device: DeviceId = None,
    kind: Kind = "room",
    realtime: Realtime = False,
    loop: Loop = 1,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Play WAV, FLAC, Ogg and MP3 files. A file that cannot be played is named, the others are played."""
    kind_, regime = _kind(kind), check_regime(regime)
    sources, failures = usable(expand(paths), AudioFile.probe)
    parts = parts_of(sources, kind=kind_, device_id=device, passes=loop, regime=regime)
    _play(parts, kafka, realtime=realtime, chunk_seconds=chunk_seconds, json=json, failures=failures)


@produce.command("sensor")
def produce_sensor(
    paths: Annotated[
        list[Path], typer.Argument(readable=False, help="npz archives or CSV tables: each file is a device.")
    ],
    kafka: Kafka = None,
    device: DeviceId = None,
    kind: Kind = "machine",
    column: Annotated[str | None, typer.Option(help="Which array or column, by name or by number from 1.")] = None,
    rate: Annotated[int | None, typer.Option(help="Sample rate in Hz, where the file does not say it.")] = None,
    unit: Annotated[str | None, typer.Option(help="What the values measure, such as g or mm/s.")] = None,
    full_scale: Annotated[float | None, typer.Option(help="Value of the largest step; keep it for a device.")] = None,
    realtime: Realtime = False,
    loop: Loop = 1,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Play recordings of acceleration sensors and the like, scaled to 16 bits."""
    kind_, regime = _kind(kind), check_regime(regime)
    options = SensorOptions(column=column, sample_rate=rate, unit=unit, full_scale=full_scale)
    sources, failures = usable(paths, lambda path: read_sensor(path, options))
    if device is not None:
        sources = on_one_scale(sources)
    parts = parts_of(sources, kind=kind_, device_id=device, passes=loop, regime=regime)
    for part in parts:
        _say(f"{part.device.device_id}: full scale {part.device.full_scale:g} {part.device.unit}")
    _play(parts, kafka, realtime=realtime, chunk_seconds=chunk_seconds, json=json, failures=failures)


@produce.command("synthetic")
def produce_synthetic(
    kafka: Kafka = None,
    device: Annotated[list[str] | None, typer.Option(help="A device of the demo factory; all unless given.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the sound.")] = 7,
    seconds: Annotated[float | None, typer.Option(help="How much of it; without end unless given.")] = None,
    realtime: Realtime = True,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Play the demo factory: machines and rooms that exist only as formulas."""
    if seconds is None and not realtime:
        raise SettingsError("--fast without --seconds would never end: say how many seconds of sound to send")
    parts = synthetic_parts(seed=seed, seconds=seconds, chosen=device or (), regime=check_regime(regime))
    _play(parts, kafka, realtime=realtime, chunk_seconds=chunk_seconds, json=json, failures=[])


@produce.command("microphone")
def produce_microphone(
    kafka: Kafka = None,
    device: Annotated[str | None, typer.Option(help="Device id; named after this machine unless given.")] = None,
    kind: Kind = "room",
    input_name: Annotated[str | None, typer.Option("--input", help="Which input, by number or name.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the inputs and end.")] = False,
    rate: Annotated[int, typer.Option(help="Sample rate in Hz.")] = 16_000,
    channels: Annotated[int, typer.Option(help="1 to 8.")] = 1,
    seconds: Annotated[float | None, typer.Option(help="Ends after so much sound; with Ctrl-C unless given.")] = None,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Send what a microphone hears, until Ctrl-C."""
    if list_:
        names = list_inputs()
        lines = [jsonlib.dumps({"inputs": names})] if json else [f"{i} {name}" for i, name in enumerate(names, 1)]
        print("\n".join(lines))
        return
    kind_ = _kind(kind)
    if seconds is not None and not seconds > 0:
        raise SettingsError(f"--seconds {seconds}; choose more than 0")
    chunk_samples(rate, channels, chunk_seconds)
    check_input(input_name)
    device_id = check_device(device) if device is not None else f"mic-{device_name(socket.gethostname())}"
    manifest = Device(device_id=device_id, kind=kind_, sample_rate=rate, description=f"microphone {input_name or ''}")
    options = CaptureOptions(input_name, rate, channels, chunk_seconds, check_regime(regime))
    tally = ProducerStats()

    async def work(publisher: Publisher) -> None:
        await capture(options, manifest, publisher, tally, seconds=seconds)

    _run(kafka_address(load_settings(), kafka), tally, work, total_s=seconds, json=json, endless=seconds is None)


def _kind(kind: str) -> DeviceKind:
    if kind not in DEVICE_KINDS:
        raise SettingsError(f"--kind {kind!r}: there are {', '.join(DEVICE_KINDS)}")
    return cast(DeviceKind, kind)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _play(
    parts: list[PlaybackJob],
    kafka: str | None,
    *,
    realtime: bool,
    chunk_seconds: float,
    json: bool,
    failures: list[str],
) -> None:
    for part in parts:
        for source in part.sources:
            chunk_samples(source.sample_rate, source.channels, chunk_seconds)
    address = kafka_address(load_settings(), kafka)
    for failure in failures:
        _say(f"tocsin: {failure}")
    if realtime and len(parts) > TOGETHER_REALTIME:
        _say(f"{len(parts)} devices: {TOGETHER_REALTIME} play at a time, the others after them")
    tally = ProducerStats(failures=failures)

    async def work(publisher: Publisher) -> None:
        await play_all(parts, publisher, tally, realtime=realtime, chunk_seconds=chunk_seconds)

    _run(address, tally, work, total_s=_total_seconds(parts), json=json, endless=False)


def _total_seconds(parts: list[PlaybackJob]) -> float | None:
    lengths = [part.length_ns for part in parts]
    return sum(length for length in lengths if length is not None) / 1e9 if None not in lengths else None


@dataclass(frozen=True, slots=True)
class _Summary:
    """What a run ends with."""

    tally: ProducerStats
    publisher: Publisher
    elapsed_s: float

    def numbers(self) -> dict[str, object]:
        return {
            "devices": len(self.tally.devices),
            "sessions": self.tally.sessions,
            "chunks": self.tally.chunks,
            "samples": self.tally.samples,
            "seconds": round(self.tally.seconds, 3),
            "bytes": self.tally.bytes,
            "clipped_samples": self.tally.clipped,
            "lost_samples": self.tally.lost,
            "undelivered_chunks": self.publisher.undelivered_chunks,
            "elapsed_seconds": round(self.elapsed_s, 3),
            "failures": self.tally.failures,
        }

    def line(self) -> str:
        tally = self.tally
        words = [
            f"devices: {len(tally.devices)}, sessions: {tally.sessions}, chunks: {tally.chunks},"
            f" {tally.seconds:.1f} s of sound ({tally.bytes} bytes) in {self.elapsed_s:.1f} s"
        ]
        if tally.clipped:
            words.append(f"{tally.clipped} samples were clipped")
        if tally.lost:
            words.append(f"{tally.lost} samples were lost before they could be read")
        if self.publisher.undelivered_chunks:
            words.append(f"{self.publisher.undelivered_chunks} chunks were not delivered")
        if tally.failures:
            words.append(f"{len(tally.failures)} files could not be played to their end")
        return "; ".join(words)


def _run(address: str, tally: ProducerStats, work: Work, *, total_s: float | None, json: bool, endless: bool) -> None:
    """Runs until all is delivered or the run is interrupted, prints the summary and ends with its exit code.

    Args:
        address: Kafka's.
        tally: what the work counts in.
        work: sends everything.
        total_s: seconds of sound there are in all; None when there is no end.
        json: whether the summary is a JSON line.
        endless: whether an interruption is the usual end.
    """
    publisher = Publisher(Connection(address))
    began = time.monotonic()
    interrupted = False
    with _display(tally, total_s) as show:
        configure_logs()
        try:
            asyncio.run(_deliver(publisher, work, show))
        except (KeyboardInterrupt, asyncio.CancelledError):
            interrupted = True
    summary = _Summary(tally, publisher, time.monotonic() - began)
    if json:
        print(jsonlib.dumps(summary.numbers(), ensure_ascii=False))
    else:
        _say(summary.line())
    if tally.failures:
        raise typer.Exit(InputError.exit_code)
    if publisher.undelivered_chunks:
        raise typer.Exit(BrokerUnavailable.exit_code)
    if interrupted and not endless:
        raise typer.Exit(INTERRUPTED)


async def _deliver(publisher: Publisher, work: Work, show: Callable[[], None]) -> None:
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    async def refresh() -> None:
        while True:
            await asyncio.sleep(_SHOW_EVERY_S)
            show()

    async with publisher:
        refreshing = asyncio.create_task(refresh())
        try:
            await work(publisher)
        finally:
            refreshing.cancel()


@contextlib.contextmanager
def _display(tally: ProducerStats, total_s: float | None) -> Iterator[Callable[[], None]]:
    """A bar on a terminal; elsewhere a plain line every 10 s. Yields what brings it up to date."""
    console = Console(stderr=True)
    of = "" if total_s is None else f" of {total_s:.0f}"
    if not console.is_terminal:
        due = time.monotonic() + _LINE_EVERY_S

        def line() -> None:
            nonlocal due
            if time.monotonic() >= due:
                due += _LINE_EVERY_S
                _say(f"{tally.seconds:.0f}{of} s of sound sent, {tally.chunks} chunks, {len(tally.devices)} devices")

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("connecting", total=total_s)
        yield lambda: progress.update(
            bar, completed=tally.seconds, description=f"{tally.seconds:.0f}{of} s, {tally.chunks} chunks"
        )
