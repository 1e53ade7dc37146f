"""`tocsin replay`: decide on stored scores again under another setting."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from processors.adapters.models.detectors import load_detectors
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detectors import detector_named
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.alerting.replay import replay_scores
from processors.core.threshold.budget import budget_plan
from schemas.errors import SettingsError
from schemas.score import Score
from tocsin.addresses import kafka_connection
from tocsin.cli.options import DeviceId, Json, Kafka, key_values
from tocsin.cli.time_args import time_ms
from tocsin.client.alert_openings import opening_scores
from tocsin.client.scores import read_feedback, read_scores
from tocsin.console import spinner
from tocsin.models.keys import trusted_keys
from tocsin.models.manifests import manifest_of
from tocsin.settings import load_settings
from tocsin.terminal import print_json, print_line

_DAY_NS = 86_400_000_000_000
_SETTING_NAMES = ("false_alarms_per_week", "sensitivity")
"""What ``--set`` takes; the second is the former name."""


def replay(
    device: DeviceId,
    since: Annotated[str, typer.Option(help="Start: how long ago, such as 12h or 7d, or a time with its zone.")] = "7d",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Setting to try: false_alarms_per_week=N."),
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="Detector to replay; required if the device has several.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the plot.")] = Path("replay"),
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Replay a device's stored scores under another setting.

    The alerts then and now are printed and plotted. The device starts without a reference at the first score read: an
    earlier --since gives a better calibrated replay.
    Feedback takes effect where it did; feedback on an alert that this setting does not raise changes nothing.
    """
    options = load_settings()
    bootstrap = kafka_connection(options, kafka)
    setting = _false_alarms_per_week(settings)
    since_ms = time_ms(since, "--since", round(time.time() * 1_000))
    with spinner("reading scores") as show:
        read = asyncio.run(
            read_scores(bootstrap, since_ms, detector, device, lambda count: show(f"reading scores: {count:,}"))
        )
    scores = _of_one_detector(device, since, [score for score in read if score.stage == "champion"])
    model = asyncio.run(manifest_of(bootstrap, options.store, scores[-1].model, trusted_keys(options)))
    mine = [score for score in scores if score.model.sha256 == scores[-1].model.sha256]
    role = detector_named(mine[0].detector, load_detectors(options.detectors))
    last = mine[-1].explanation
    per_week = setting if setting is not None else last.false_alarms_per_week if last is not None else 1.0
    context = DecisionContext(
        role,
        budget_plan(per_week, sustained=role.sustained),
        model.calibration,
        mine[-1].model,
        model.features,
        use_reported_regime=True,
    )
    # In the operating regimes of the time, whether hours or the producer's reports defined them.
    in_regimes = (score.model_copy(update={"reported_regime": score.regime}) for score in mine)
    feedback = asyncio.run(read_feedback(bootstrap, device, role.name))
    outputs = [output for _, output in replay_scores(context, in_regimes, feedback)]
    applied = _applied_count(mine, feedback)
    then = opening_scores(mine)
    now = [output for output in outputs if output.alert is not None and output.alert.state == "opened"]
    # Imported late: matplotlib takes a second to load.
    from tocsin.replay_picture import draw_replay

    picture = out / f"{device}-{role.name}-replay.png"
    draw_replay(picture, mine, outputs, then, f"{device}, {role.name}: at most {per_week:g} false alarms a week")
    days = (mine[-1].captured_ns - mine[0].captured_ns) / _DAY_NS
    if json:
        alerts = [output.alert.model_dump(mode="json") for output in now if output.alert is not None]
        print_json(
            {
                "device_id": device,
                "detector": role.name,
                "false_alarms_per_week": per_week,
                "windows": len(mine),
                "days": round(days, 4),
                "then": len(then),
                "now": len(now),
                "feedback": applied,
                "alerts": alerts,
                "picture": str(picture),
            }
        )
        return
    print_line(
        f"{device}, {role.name}: {len(mine):,} windows over {days:.2f} days, at most {per_week:g} false alarms a week"
    )
    print_line(f"  alerts then: {len(then)}; under this setting: {len(now)}; feedback applied: {applied}")
    for output in now:
        if output.alert is not None:
            print_line(f"  {output.alert.severity:8}  {output.alert.summary}")
    print_line(f"  {picture}")


def _false_alarms_per_week(settings: list[str] | None) -> float | None:
    found = None
    for key, value in key_values(settings).items():
        if key not in _SETTING_NAMES:
            raise SettingsError(f"--set {key}={value}: no setting {key!r}; give {_SETTING_NAMES[0]}=N")
        try:
            found = float(value)
        except ValueError:
            raise SettingsError(f"--set {key}={value}: {value!r} is not a number") from None
    return found


def _applied_count(scores: list[Score], feedback: list[OperatorFeedback]) -> int:
    """How many feedback records the decisions on these scores applied after the first score."""
    known = [
        score.explanation.last_feedback_offset
        for score in scores
        if score.explanation is not None and score.explanation.last_feedback_offset is not None
    ]
    return sum(known[0] < one.offset <= max(known) for one in feedback) if known else 0


def _of_one_detector(device: str, since: str, scores: list[Score]) -> list[Score]:
    names = sorted({score.detector for score in scores})
    if not names:
        raise SettingsError(
            f"no score of {device!r} since {since}: is the name right? `tocsin devices list` shows the fleet"
        )
    if len(names) > 1:
        raise SettingsError(f"{device!r} has several detectors, {', '.join(names)}: choose one with --detector")
    return scores
