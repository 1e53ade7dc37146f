"""`tocsin models compare`: champion and shadow on the same windows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from schemas.assignment import Assignment
from schemas.errors import SettingsError
from schemas.scope import ALL
from schemas.score import ModelRef, Score
from tocsin.addresses import kafka_connection
from tocsin.cli.commands.models.formatting import print_content
from tocsin.cli.options import Json, Kafka
from tocsin.cli.time_args import time_ms
from tocsin.client.scores import read_scores
from tocsin.console import DataTable, spinner, terminal
from tocsin.models.assignments import assignment_of, read_assignments
from tocsin.models.comparison import Agreement, paired
from tocsin.models.comparison import compare as compare_pairs
from tocsin.models.keys import trusted_keys
from tocsin.settings import load_settings
from tocsin.terminal import print_line


def compare(
    detector: Annotated[str, typer.Argument(metavar="DETECTOR", help="Name of the detector, such as machine.")],
    scope: Annotated[str, typer.Option(help="Scope of the shadow: all, kind:KIND or device:ID.")] = ALL,
    since: Annotated[str, typer.Option(help="Start: how long ago, such as 90m or 7d, or a time with its zone.")] = "1h",
    out: Annotated[Path | None, typer.Option(help="Folder for a plot; none is drawn by default.")] = None,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Compare shadow and champion on the same windows. Prints agreement, rank correlation and alarms a day."""
    settings = load_settings()
    bootstrap = kafka_connection(settings, kafka)
    since_ms = time_ms(since, "--since", round(time.time() * 1_000))
    assignment = assignment_of(asyncio.run(read_assignments(bootstrap, trusted_keys(settings))), f"{detector}/{scope}")
    if assignment.shadow is None:
        raise SettingsError(f"{assignment.key()} has no shadow to compare: publish one with --stage shadow")
    shadow = assignment.shadow.ref
    with spinner("reading scores") as show:
        scores = asyncio.run(
            read_scores(bootstrap, since_ms, detector, progress=lambda read: show(f"reading scores: {read:,}"))
        )
    champion = _champion(assignment, scores)
    pairs = [] if champion is None else paired(scores, champion, shadow)
    if champion is None or not pairs:
        raise SettingsError(
            f"since {since} no window of {assignment.key()} was scored by both champion and shadow: wait a little, or"
            " give a longer --since; `tocsin models list` shows whether workers run the shadow"
        )
    overall = compare_pairs(pairs)
    by_device = {pair.device_id: compare_pairs([pair]) for pair in pairs}
    picture = None if out is None else out / f"{detector}-{scope.replace(':', '-')}-comparison.png"
    if picture is not None:
        # Imported late: matplotlib takes a second to load.
        from tocsin.models.pictures import draw_comparison

        draw_comparison(picture, pairs, f"{assignment.key()}: champion {_short(champion)}, shadow {_short(shadow)}")
    if json:
        devices = {name: asdict(agreement) for name, agreement in by_device.items()}
        print_content(
            champion=champion, shadow=shadow, overall=asdict(overall), devices=devices, picture=_text(picture)
        )
        return
    print_line(f"champion {_short(champion)}, shadow {_short(shadow)}")
    _print(overall, by_device)
    if picture is not None:
        print_line(f"picture: {picture}")


def _champion(assignment: Assignment, scores: list[Score]) -> ModelRef | None:
    """The model to compare with; for a scope without a champion, the one that last scored beside the shadow."""
    if assignment.champion is not None:
        return assignment.champion.ref
    beside = {score.device_id for score in scores if score.stage == "shadow"}
    others = [score for score in scores if score.stage == "champion" and score.device_id in beside]
    return max(others, key=lambda score: score.captured_ns).model if others else None


def _print(overall: Agreement, by_device: dict[str, Agreement]) -> None:
    table = DataTable(
        "device", "windows", "hours", "agree", "both", "champion only", "shadow only", "rank correlation",
        "champion, alarms a day", "shadow, alarms a day",
    )  # fmt: skip
    for name, found in {**by_device, f"all {overall.devices}": overall}.items():
        table.add_row(
            name,
            str(found.windows),
            f"{found.hours:.2f}",
            f"{found.agreement:.1%}",
            str(found.both),
            str(found.champion_only),
            str(found.shadow_only),
            "" if found.correlation is None else f"{found.correlation:.2f}",
            _rate(found.champion_alarms_a_day),
            _rate(found.shadow_alarms_a_day),
        )
    terminal().print(table)


def _rate(alarms_a_day: float | None) -> str:
    return "no threshold yet" if alarms_a_day is None else f"{alarms_a_day:.1f}"


def _short(model: ModelRef) -> str:
    return f"{model.name} {model.version}"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
