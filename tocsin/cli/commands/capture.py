"""`tocsin dataset capture`: the fleet's own sound as a labelled folder."""

from __future__ import annotations

import asyncio
import json as jsonlib
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from schemas.errors import SettingsError
from tocsin.addresses import kafka_address
from tocsin.capture.capture import capture as capture_sound
from tocsin.capture.capture import summary
from tocsin.capture.manifest import CaptureRequest
from tocsin.cli.time_args import duration_ms, moment_ms
from tocsin.diagnostics import say
from tocsin.settings import load_settings

SHORTEST_CLIP_MS = 1_000


def capture(
    devices: Annotated[list[str], typer.Option(help="Names or patterns, such as 'pump-*'; repeatable.")],
    since: Annotated[str, typer.Option(help="How long ago, such as 7d or 90m, or a time with its zone.")],
    out: Annotated[Path, typer.Option(help="Folder of the capture: a new one, or one that was begun.")],
    until: Annotated[str | None, typer.Option(help="As --since; now unless given.")] = None,
    minutes_per_device: Annotated[float, typer.Option(min=0.01, help="Of each device and label, at most.")] = 60.0,
    max_gb: Annotated[float, typer.Option(min=0.001, help="Of all files together, at most; 10^9 bytes each.")] = 5.0,
    clip: Annotated[str, typer.Option(help="Length of a clip.")] = "10s",
    guard: Annotated[str, typer.Option(help="Left out before and after an alert.")] = "30s",
    json: Annotated[bool, typer.Option("--json", help="Print what came of it as one JSON object.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """Read sound back into normal/<device> and abnormal/<device>, with a manifest.

    Sound inside or near alerts is left out, unless a verdict says what it is: `tocsin alerts verdict`. A run that was
    ended goes on where it was when the same is asked again; a whole capture is left as it is.
    """
    request, since_ms, until_ms = request_of(devices, since, until, clip, guard, minutes_per_device, max_gb)
    captured = asyncio.run(capture_sound(kafka_address(load_settings(), kafka), request, since_ms, until_ms, out))
    told = summary(captured, out)
    if json:
        print(jsonlib.dumps(told))
        return
    table = Table("device", "normal", "abnormal", title=None)
    counts: dict[str, dict[str, int]] = told["devices"]  # type: ignore[assignment]
    for name, labels in counts.items():
        table.add_row(name, str(labels.get("normal", 0)), str(labels.get("abnormal", 0)))
    Console().print(table)
    left = captured.manifest.left_out
    print(
        f"{out}: {told['clips']} clips, {told['seconds']:.0f} s, {int(str(told['bytes'])) / 1e6:.1f} MB;"
        f" {captured.added} written now; {told['hard_negatives']} of them raised false alarms"
    )
    print(f"left out: {left.near_alerts} near alerts, {left.beyond_bounds} beyond the bounds, {left.expired} expired")


def request_of(
    devices: list[str],
    since: str,
    until: str | None,
    clip: str,
    guard: str,
    minutes_per_device: float,
    max_gb: float,
) -> tuple[CaptureRequest, int, int]:
    """A request as options give it, and which time it means now: since and until, milliseconds since 1970.

    Raises:
        SettingsError: an option cannot be meant.
    """
    now_ms = time.time_ns() // 1_000_000
    since_ms = moment_ms(since, "--since", now_ms)
    until_ms = now_ms if until is None else moment_ms(until, "--until", now_ms)
    if since_ms >= until_ms:
        raise SettingsError(f"--since {since!r} is not before --until {until or 'now'!r}")
    clip_ms = duration_ms(clip, "--clip")
    if clip_ms < SHORTEST_CLIP_MS:
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
        say(f"--until {until} is yet to come: what has been heard so far is taken")
    return request, since_ms, min(until_ms, now_ms)
