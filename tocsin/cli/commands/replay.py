"""`tocsin replay`: what would have been, on stored scores."""

from __future__ import annotations

import asyncio
import json as json_format
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detectors import DETECTORS
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.alerting.replay import replay_scores
from processors.core.threshold.budget import budget_plan
from schemas.errors import SettingsError
from schemas.score import Score
from tocsin.addresses import kafka_address
from tocsin.cli.time_args import moment_ms
from tocsin.client.alert_intervals import opened
from tocsin.client.scores import read_feedback, read_scores
from tocsin.models.manifests import manifest_of
from tocsin.settings import load_settings

_DAY_NS = 86_400_000_000_000


def replay(
    device: Annotated[str, typer.Argument(help="The device's id.")],
    since: Annotated[str, typer.Option(help="How long ago, such as 12h or 7d, or a time with its zone.")] = "7d",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What would have been set: sensitivity=N (alarms a week)."),
    ] = None,
    detector: Annotated[str | None, typer.Option(help="One detector; needed where a device has several.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the picture.")] = Path("replay"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """DecisionContext a device's stored scores again under another setting; print and draw the alerts then and now.

    The device begins anew at the first score read, so the longer --since reaches back the more the replay knows.
    Feedback takes effect where it did; a verdict on an alert that this setting does not raise changes nothing.
    """
    options = load_settings()
    bootstrap = kafka_address(options, kafka)
    per_week = _sensitivity(settings or [])
    since_ms = moment_ms(since, "--since", round(time.time() * 1_000))
    with Console(stderr=True).status("reading scores") as status:
        read = asyncio.run(
            read_scores(
                bootstrap, since_ms, detector, device, lambda count: status.update(f"reading scores: {count:,}")
            )
        )
    scores = _of_one(device, since, [score for score in read if score.stage == "champion"])
    model = asyncio.run(manifest_of(bootstrap, options.store, scores[-1].model))
    mine = [score for score in scores if score.model.sha256 == scores[-1].model.sha256]
    role = DETECTORS[mine[0].detector]
    explanation = mine[-1].explanation
    now = per_week
    if now is None:
        now = explanation.false_alarms_per_week if explanation is not None else 1.0
    judge = DecisionContext(
        role,
        budget_plan(now, sustained=role.sustained),
        model.calibration,
        mine[-1].model,
        model.features,
        use_reported_regime=True,
    )
    # In the regimes that they were judged in: what made those then, hours or tags, does not matter.
    told = (score.model_copy(update={"reported_regime": score.regime}) for score in mine)
    feedback = asyncio.run(read_feedback(bootstrap, device, role.name))
    outputs = [output for _, output in replay_scores(judge, told, feedback)]
    taken_in = _taken_in(mine, feedback)
    then, again = opened(mine), [o for o in outputs if o.alert is not None and o.alert.state == "opened"]
    # matplotlib takes a second, and only this command needs it here.
    from tocsin.replay_picture import draw_replay

    picture = out / f"{device}-{role.name}-replay.png"
    draw_replay(picture, mine, outputs, then, f"{device}, {role.name}: at most {now:g} false alarms a week")
    days = (mine[-1].captured_ns - mine[0].captured_ns) / _DAY_NS
    if json:
        fired = [o.alert.model_dump(mode="json") for o in again if o.alert is not None]
        print(
            json_format.dumps(
                {
                    "device_id": device,
                    "detector": role.name,
                    "per_week": now,
                    "windows": len(mine),
                    "days": round(days, 4),
                    "then": len(then),
                    "now": len(again),
                    "feedback": taken_in,
                    "alerts": fired,
                    "picture": str(picture),
                }
            )
        )
        return
    print(f"{device}, {role.name}: {len(mine):,} windows over {days:.2f} days, at most {now:g} false alarms a week")
    print(f"  alerts then: {len(then)}; under this setting: {len(again)}; feedback taken in: {taken_in}")
    for output in again:
        if output.alert is not None:
            print(f"  {output.alert.severity:8}  {output.alert.summary}")
    print(f"  {picture}")


def _sensitivity(settings: list[str]) -> float | None:
    found = None
    for setting in settings:
        key, equals, value = setting.partition("=")
        if key != "sensitivity" or not equals:
            raise SettingsError(f"--set {setting!r}: sensitivity=N, alarms a week, is what can be set")
        try:
            found = float(value)
        except ValueError:
            raise SettingsError(f"--set {setting!r}: {value!r} is no number") from None
    return found


def _taken_in(scores: list[Score], feedback: list[OperatorFeedback]) -> int:
    """How much of the feedback came while these scores did: after the first, known to one of the others."""
    known = [
        score.explanation.last_feedback_offset
        for score in scores
        if score.explanation is not None and score.explanation.last_feedback_offset is not None
    ]
    return sum(known[0] < saying.offset <= max(known) for saying in feedback) if known else 0


def _of_one(device: str, since: str, scores: list[Score]) -> list[Score]:
    names = sorted({score.detector for score in scores})
    if not names:
        raise SettingsError(
            f"no score of {device!r} since {since}: is the name right? `tocsin devices list` shows the fleet"
        )
    if len(names) > 1:
        raise SettingsError(f"{device!r} has several detectors, {', '.join(names)}: name one with --detector")
    return scores
