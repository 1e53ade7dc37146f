"""`tocsin produce`: sound from files, sensors, microphones and synthetic machines into Kafka."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer

from producers.devices import check_device, check_regime, device_name, expand, playback_jobs, probe_all
from producers.kafka.publisher import Publisher
from producers.session import DEFAULT_CHUNK_SECONDS, chunk_samples
from producers.sources.file import AudioFile
from producers.sources.microphone import CaptureOptions, capture, check_input, list_inputs
from producers.sources.sensor import SensorOptions, on_one_scale, read_sensor
from producers.sources.synthetic import synthetic_jobs
from producers.stats import ProducerStats
from schemas.device import Device
from schemas.errors import SettingsError
from tocsin.addresses import kafka_connection
from tocsin.cli.commands.produce.run import play, print_status, run
from tocsin.cli.options import Kafka, Kind
from tocsin.settings import load_settings
from tocsin.terminal import print_json, print_lines

# Paths are readable=False below: typer would refuse an unreadable file without saying what to do; the sources do.
produce = typer.Typer(name="produce", add_completion=False, help="Send sound to Kafka.", no_args_is_help=True)

SharedDevice = Annotated[
    str | None, typer.Option(help="Send all files as sessions of this one device. Default: each file is a device.")
]
Realtime = Annotated[bool, typer.Option("--realtime/--fast", help="Send in real time, or as fast as possible.")]
ChunkSeconds = Annotated[float, typer.Option(help="Length of a chunk, 0.25 to 2 s.")]
Loop = Annotated[int, typer.Option(help="Number of times to send everything.")]
Regime = Annotated[
    str,
    typer.Option(
        help="Operating regime to report with the sound, such as night or fast; see `tocsin devices policy"
        " --reported-regime`."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON line.")]


@produce.command("file")
def produce_file(
    paths: Annotated[
        list[Path], typer.Argument(readable=False, help="Audio files, or folders of them: each file is a device.")
    ],
    kafka: Kafka = None,
    device: SharedDevice = None,
    kind: Kind = "room",
    realtime: Realtime = False,
    loop: Loop = 1,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Send WAV, FLAC, Ogg and MP3 files. A file that cannot be read is reported, and the others are sent."""
    regime = check_regime(regime)
    sources, failures = probe_all(expand(paths), AudioFile.probe)
    jobs = playback_jobs(sources, kind=kind, device_id=device, passes=loop, regime=regime)
    play(jobs, kafka, realtime=realtime, chunk_seconds=chunk_seconds, json=json, failures=failures)


@produce.command("sensor")
def produce_sensor(
    paths: Annotated[
        list[Path], typer.Argument(readable=False, help="npz archives or CSV tables: each file is a device.")
    ],
    kafka: Kafka = None,
    device: SharedDevice = None,
    kind: Kind = "machine",
    column: Annotated[str | None, typer.Option(help="Array or column to send, by name or by number from 1.")] = None,
    rate: Annotated[int | None, typer.Option(help="Sample rate in Hz, if the file does not state it.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the values, such as g or mm/s.")] = None,
    full_scale: Annotated[
        float | None, typer.Option(help="Value that full-scale PCM stands for; use the same for a device every time.")
    ] = None,
    realtime: Realtime = False,
    loop: Loop = 1,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Send sensor recordings, such as acceleration, scaled to 16 bits."""
    regime = check_regime(regime)
    options = SensorOptions(column=column, sample_rate=rate, unit=unit, full_scale=full_scale)
    sources, failures = probe_all(paths, lambda path: read_sensor(path, options))
    if device is not None:
        sources = on_one_scale(sources)
    jobs = playback_jobs(sources, kind=kind, device_id=device, passes=loop, regime=regime)
    for job in jobs:
        print_status(f"{job.device.device_id}: full scale {job.device.full_scale:g} {job.device.unit}")
    play(jobs, kafka, realtime=realtime, chunk_seconds=chunk_seconds, json=json, failures=failures)


@produce.command("synthetic")
def produce_synthetic(
    kafka: Kafka = None,
    device: Annotated[
        list[str] | None, typer.Option(help="A device of the demo factory; repeatable. Default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sound.")] = 7,
    seconds: Annotated[float | None, typer.Option(help="Seconds of sound per device. Default: until Ctrl-C.")] = None,
    realtime: Realtime = True,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Send the sound of the synthetic demo factory."""
    if seconds is None and not realtime:
        raise SettingsError("--fast without --seconds would never end: say how many seconds of sound to send")
    jobs = synthetic_jobs(seed=seed, seconds=seconds, chosen=device or (), regime=check_regime(regime))
    play(jobs, kafka, realtime=realtime, chunk_seconds=chunk_seconds, json=json, failures=[])


@produce.command("microphone")
def produce_microphone(
    kafka: Kafka = None,
    device: Annotated[str | None, typer.Option(help="Device id. Default: derived from this machine's name.")] = None,
    kind: Kind = "room",
    input_name: Annotated[str | None, typer.Option("--input", help="Input to record, by number or name.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the inputs and exit.")] = False,
    rate: Annotated[int, typer.Option(help="Sample rate in Hz.")] = 16_000,
    channels: Annotated[int, typer.Option(help="Number of channels, 1 to 8.")] = 1,
    seconds: Annotated[float | None, typer.Option(help="Stop after this much sound. Default: at Ctrl-C.")] = None,
    chunk_seconds: ChunkSeconds = DEFAULT_CHUNK_SECONDS,
    regime: Regime = "",
    json: Json = False,
) -> None:
    """Send what a microphone records, until Ctrl-C."""
    if list_:
        names = list_inputs()
        if json:
            print_json({"inputs": names})
        else:
            print_lines(f"{i} {name}" for i, name in enumerate(names, 1))
        return
    if seconds is not None and not seconds > 0:
        raise SettingsError(f"--seconds {seconds}; choose more than 0")
    chunk_samples(rate, channels, chunk_seconds)
    check_input(input_name)
    device_id = check_device(device) if device is not None else f"mic-{device_name(socket.gethostname())}"
    manifest = Device(device_id=device_id, kind=kind, sample_rate=rate, description=f"microphone {input_name or ''}")
    options = CaptureOptions(input_name, rate, channels, chunk_seconds, check_regime(regime))
    stats = ProducerStats()

    async def work(publisher: Publisher) -> None:
        await capture(options, manifest, publisher, stats, seconds=seconds)

    run(kafka_connection(load_settings(), kafka), stats, work, total_s=seconds, json=json, endless=seconds is None)
