"""`tocsin demo`: a small factory through the real stack, live, in about 80 seconds."""

from __future__ import annotations

import asyncio
import io
import re
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.errors import SettingsError
from tocsin.demo.folders import results_folder, stack_folder
from tocsin.demo.outcome import Outcome, print_outcome, write_alerts
from tocsin.demo.run import DemoOptions, DemoRun
from tocsin.demo.sound_archive import SoundArchive
from tocsin.settings import load_settings
from tocsin.stack.stack import Stack

_BEFORE_S, _AFTER_S = 10.0, 8.0
_VIEW_WIDTH = 136


def demo(
    out: Annotated[Path, typer.Option(help="Folder for alerts, pictures and the workers' log.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(min=0, help="Of the factory's sound.")] = 7,
    seconds: Annotated[float, typer.Option(help="How long the factory plays, 1 to 600.")] = 65.0,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
) -> None:
    """Play a small factory in real time through a real Kafka and Redis, and show what is heard.

    Six machines and two rooms; one machine develops a fault and somebody screams in one room. Exit code 0 when
    exactly those two raised alerts, 1 when not.
    """
    if not 1.0 <= seconds <= 600.0:
        raise SettingsError(f"--seconds {seconds}: 1 to 600 can be played")
    settings = load_settings()
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    results = results_folder(out)
    show = DemoRun(DemoOptions(seed, seconds, processes, results / "worker.log"), console)
    with stack_folder(settings.data) as folder, _starting(console, folder, settings.parts) as stack:
        outcome = asyncio.run(_run(show, stack, results))
    print_outcome(console, show.factory, show.view, outcome)
    pictures = len(list(results.glob("alert-*.png")))
    console.print(f"{results}/: alerts.jsonl, {pictures} alert pictures, live-view.svg, worker.log", highlight=False)
    if not outcome.held:
        raise typer.Exit(1)


def _starting(console: Console, folder: Path, parts: Path | None) -> Stack:
    def say(text: str) -> None:
        console.print(f"[dim]{text}[/]", highlight=False)

    return Stack(folder, parts, progress=say)


async def _run(show: DemoRun, stack: Stack, results: Path) -> Outcome:
    outcome = await show.run(stack)
    # Read late: matplotlib takes a second, and the show need not wait for it.
    from tocsin.demo.pictures import draw_alert

    opened = [alert for alert in show.view.events if alert.state == "opened"]
    archive = await SoundArchive.of(stack.bootstrap, {alert.device_id for alert in opened})
    for number, alert in enumerate(opened, start=1):
        start, samples = archive.around(alert, _BEFORE_S, _AFTER_S)
        path = results / f"alert-{number}-{alert.device_id}.png"
        draw_alert(path, alert, samples, start, show.view.scores[alert.dedup_key])
    write_alerts(results, show.view)
    save_view(show, results / "live-view.svg")
    return outcome


def save_view(show: DemoRun, path: Path) -> None:
    """Writes the view when most alerts were open, or as it is now, as an SVG."""
    canvas = Console(record=True, width=_VIEW_WIDTH, file=io.StringIO(), force_terminal=True)
    canvas.print(show.snapshot or show.picture())
    # rich names fonts on a server; a picture of ours fetches nothing.
    svg = re.sub(r"@font-face\s*\{.*?\}", "", canvas.export_svg(title="tocsin demo"), flags=re.DOTALL)
    path.write_text(svg, encoding="utf-8")


def _interrupt(*_: object) -> None:
    # Ended in the same order as by Ctrl-C: asyncio then cancels what runs instead of being broken off anywhere.
    signal.raise_signal(signal.SIGINT)
