"""`tocsin dataset capture`: the fleet's own sound as a folder of labelled clips."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import SettingsError
from tocsin.addresses import kafka_connection
from tocsin.capture.capture import capture as run_capture
from tocsin.capture.capture import summary
from tocsin.capture.manifest import CaptureRequest
from tocsin.cli.options import Guard, Json, Kafka, MaxGb, MinutesPerDevice
from tocsin.cli.time_args import duration_ms, time_ms
from tocsin.console import DataTable, terminal
from tocsin.diagnostics import log_line
from tocsin.settings import load_settings
from tocsin.terminal import print_json, print_line

MIN_CLIP_MS = 1_000


def capture(
    devices: Annotated[list[str], typer.Option(help="Device ids or patterns, such as 'pump-*'; repeatable.")],
    since: Annotated[str, typer.Option(help="Start: how long ago, such as 7d or 90m, or a time with its zone.")],
    out: Annotated[Path, typer.Option(help="Folder of the capture: a new one, or an unfinished one to resume.")],
    until: Annotated[str | None, typer.Option(help="End, written like --since. Default: now.")] = None,
    minutes_per_device: MinutesPerDevice = 60.0,
    max_gb: MaxGb = 5.0,
    clip: Annotated[str, typer.Option(help="Length of a clip.")] = "10s",
    guard: Guard = "30s",
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Read the fleet's sound back as labelled clips.

    Clips are written to normal/DEVICE and abnormal/DEVICE, with a manifest. Sound during or near an alert is left out,
    unless feedback says what it was: `tocsin alerts feedback`. The same command resumes an interrupted capture; a
    complete one is left unchanged.
    """
    request, since_ms, until_ms = request_of(devices, since, until, clip, guard, minutes_per_device, max_gb)
    captured = asyncio.run(run_capture(kafka_connection(load_settings(), kafka), request, since_ms, until_ms, out))
    result = summary(captured, out)
    if json:
        print_json(result)
        return
    table = DataTable("device", "normal", "abnormal", title=None)
    counts: dict[str, dict[str, int]] = result["devices"]  # type: ignore[assignment]
    for name, labels in counts.items():
        table.add_row(name, str(labels.get("normal", 0)), str(labels.get("abnormal", 0)))
    terminal().print(table)
    left = captured.manifest.left_out
    print_line(
        f"{out}: {result['clips']} clips, {result['seconds']:.0f} s, {int(str(result['bytes'])) / 1e6:.1f} MB;"
        f" {captured.added} written now; {result['hard_negatives']} of them are false alarms"
    )
    print_line(
        f"left out: {left.near_alerts} near alerts, {left.beyond_bounds} beyond the bounds, {left.expired} expired"
    )


def request_of(
    devices: list[str],
    since: str,
    until: str | None,
    clip: str,
    guard: str,
    minutes_per_device: float,
    max_gb: float,
) -> tuple[CaptureRequest, int, int]:
    """A capture request from command line options, with since and until in milliseconds since 1970.

    Raises:
        SettingsError: an option is malformed or out of range.
    """
    now_ms = time.time_ns() // 1_000_000
    since_ms = time_ms(since, "--since", now_ms)
    until_ms = now_ms if until is None else time_ms(until, "--until", now_ms)
    if since_ms >= until_ms:
        raise SettingsError(f"--since {since!r} is not before --until {until or 'now'!r}")
    clip_ms = duration_ms(clip, "--clip")
    if clip_ms < MIN_CLIP_MS:
        raise SettingsError(f"--clip {clip!r} is shorter than 1s")
    request = CaptureRequest(
        devices=tuple(devices),
        since=since,
        until=until,
        clip_ms=clip_ms,
        guard_ms=duration_ms(guard, "--guard"),
        device_minutes=minutes_per_device,
        max_bytes=int(max_gb * 1e9),
    )
    if until_ms > now_ms:
        log_line(f"--until {until} is in the future: sound up to now is captured")
    return request, since_ms, min(until_ms, now_ms)
