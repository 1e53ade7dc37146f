"""`tocsin demo`: a synthetic factory through the real stack, live, in about 80 seconds."""

from __future__ import annotations

import asyncio
import io
import re
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.errors import SettingsError
from tocsin.console import PlainConsole, terminal
from tocsin.demo.folders import results_folder, stack_folder
from tocsin.demo.outcome import DemoOutcome, print_outcome, write_alerts
from tocsin.demo.run import DemoOptions, DemoRun
from tocsin.demo.sound_archive import SoundArchive
from tocsin.settings import load_settings
from tocsin.stack.stack import Stack

_BEFORE_S, _AFTER_S = 10.0, 8.0
_VIEW_WIDTH = 136


def demo(
    out: Annotated[Path, typer.Option(help="Folder for alerts, plots and the workers' log.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same sound.")] = 7,
    seconds: Annotated[float, typer.Option(help="Seconds of sound to play, 1 to 600.")] = 65.0,
    processes: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
) -> None:
    """Run a synthetic factory through the whole stack, live.

    Six machines and two rooms are played in real time through a real Kafka and Redis, and their scores and alerts are
    shown. One machine develops a fault, and a scream sounds in one room. Exit code 0 if exactly those two raise alerts,
    1 if not.
    """
    if not 1.0 <= seconds <= 600.0:
        raise SettingsError(f"--seconds {seconds}: give 1 to 600")
    settings = load_settings()
    console = terminal()
    signal.signal(signal.SIGTERM, _interrupt)
    results = results_folder(out)
    demo_run = DemoRun(DemoOptions(seed, seconds, processes, results / "worker.log"), console)
    with stack_folder(settings.data) as folder, _starting(console, folder, settings.components) as stack:
        outcome = asyncio.run(_interruptible(_run(demo_run, stack, results)))
        signal.signal(signal.SIGTERM, _interrupt)
    print_outcome(console, demo_run.factory, demo_run.view, outcome)
    pictures = len(list(results.glob("alert-*.png")))
    console.print_text(f"{results}/: alerts.jsonl, {pictures} alert pictures, live-view.svg, worker.log")
    if not outcome.as_expected:
        raise typer.Exit(1)


def _starting(console: PlainConsole, folder: Path, components: Path | None) -> Stack:
    def show(text: str) -> None:
        console.print_text(text, "dim")

    return Stack(folder, components, progress=show)


async def _interruptible(run: Coroutine[Any, Any, DemoOutcome]) -> DemoOutcome:
    """Awaits the run; SIGTERM cancels it in order, as Ctrl-C does.

    A signal handler that raises would stop the event loop at an arbitrary point, and asyncio installs none for Ctrl-C
    where that is ignored, as in the background of a script.
    """
    task = asyncio.ensure_future(run)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise typer.Abort from None


async def _run(demo_run: DemoRun, stack: Stack, results: Path) -> DemoOutcome:
    outcome = await demo_run.run(stack)
    # Imported late: matplotlib takes a second to load, and the run need not wait for it.
    from tocsin.demo.pictures import draw_alert

    opened = [alert for alert in demo_run.view.events if alert.state == "opened"]
    archive = await SoundArchive.of(stack.connection, {alert.device_id for alert in opened})
    for number, alert in enumerate(opened, start=1):
        start, samples = archive.around(alert, _BEFORE_S, _AFTER_S)
        path = results / f"alert-{number}-{alert.device_id}.png"
        draw_alert(path, alert, samples, start, demo_run.view.scores[alert.dedup_key])
    write_alerts(results, demo_run.view)
    save_view(demo_run, results / "live-view.svg")
    return outcome


def save_view(demo_run: DemoRun, path: Path) -> None:
    """Writes an SVG of the view when most alerts were open, or of the present view if there was none."""
    recorder = PlainConsole(record=True, width=_VIEW_WIDTH, file=io.StringIO(), force_terminal=True)
    recorder.print(demo_run.snapshot or demo_run.render())
    # rich refers to fonts on a server; our SVG must load nothing.
    svg = re.sub(r"@font-face\s*\{.*?\}", "", recorder.export_svg(title="tocsin demo"), flags=re.DOTALL)
    path.write_text(svg, encoding="utf-8")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
