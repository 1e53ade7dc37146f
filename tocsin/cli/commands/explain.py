"""`tocsin devices explain`: why did it, or did it not, fire?"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from processors.core.alerting.detectors import DETECTORS
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.budget import explain_budget as arithmetic
from schemas.errors import SettingsError
from schemas.score import Score
from tocsin.addresses import kafka_address
from tocsin.cli.time_args import moment_ms
from tocsin.client.scores import read_scores
from tocsin.settings import load_settings

_AROUND_MS = 600_000


def explain(
    device: Annotated[str, typer.Argument(help="The device's id.")],
    at: Annotated[
        str | None, typer.Option(help="How long ago, such as 20m, or a time with its zone; the latest unless given.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="One detector only.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a detector.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """Say why a device's detectors did, or did not, raise an alert at a time: the window nearest to it."""
    bootstrap = kafka_address(load_settings(), kafka)
    now_ms = round(time.time() * 1_000)
    at_ms = now_ms if at is None else moment_ms(at, "--at", now_ms)
    scores = asyncio.run(read_scores(bootstrap, at_ms - _AROUND_MS, detector, device))
    found: dict[str, Score] = {}
    for score in scores:
        if score.stage == "champion":
            best = found.get(score.detector)
            if best is None or _away(score, at_ms) <= _away(best, at_ms):
                found[score.detector] = score
    if not found:
        raise SettingsError(
            f"no window of {device!r} was scored in the ten minutes before {_when(at_ms)} or since: does it send sound,"
            " and is the name right? `tocsin devices list` shows the fleet"
        )
    for score in found.values():
        print(score.model_dump_json() if json else "\n".join(_lines(score)))


def _away(score: Score, at_ms: int) -> int:
    return abs(score.captured_ns // 1_000_000 - at_ms)


def _lines(score: Score) -> list[str]:
    start = score.first_sample / score.sample_rate
    lines = [
        f"{score.device_id}, {score.detector}: window of {_when(score.captured_ns // 1_000_000)},"
        f" {start:.2f} s into session {score.session_id}, scored by {score.model.name} {score.model.version}",
        f"  {_verdict(score)}",
    ]
    why, detector = score.explanation, DETECTORS[score.detector]
    threshold = "none yet" if score.threshold is None else f"{score.threshold:.3f}"
    lines.append(f"  score {score.score:.3f}, threshold {threshold}, level of the sound {score.level_dbfs:.0f} dBFS")
    if why is None:
        return lines
    if why.confirmed is not None:
        lines.append(
            f"  {detector.min_confirmations} of the last {detector.window_count} windows lie at or above"
            f" {why.confirmed:.3f}; that is what is compared"
        )
    lines.append(
        f"  p-value {why.p_value:.3g}: (1 + reference at least as high) / ({why.reference_blocks:,} + 1), "
        f"minute {why.block:,}"
    )
    if why.level_threshold is not None:
        lines.append(
            f"  the minute so far lies {why.level:.3f} above usual; {why.level_threshold:.3f} would be too much"
        )
    if score.threshold_state == "calibrating":
        lines.append(f"  calibrating: {why.calibration_progress:.1%} of a week of its own sound")
    if score.regime:
        lines.append(f"  judged against its regime {score.regime!r}")
    if score.reported_regime and score.reported_regime != score.regime:
        lines.append(f"  its producer called the regime {score.reported_regime!r}")
    if score.degraded:
        lines.append("  degraded: Redis was away, the last known threshold was used")
    promise = budget_plan(why.false_alarms_per_week, sustained=detector.sustained)
    ranked_against = why.reference_blocks if why.calibration_progress > 0.006 else None
    return [*lines, *(f"  {line}" for line in arithmetic(promise, ranked_against))]


def _verdict(score: Score) -> str:
    why = score.explanation
    if score.threshold is None:
        return "no alert: it has not been heard long enough for a threshold"
    if why is None:
        return "above its threshold" if score.exceeds else "below its threshold"
    if why.suppressed:
        reasons = {"budget": "the day's budget of alerts is spent", "cooldown": "an alert has just been closed"}
        return f"kept back: {reasons[why.suppressed]}"
    if why.episode:
        what = {"peak": "single scores exceed", "level": "the minute as a whole exceeds", "": "it exceeds"}[why.kind]
        return f"part of alert episode {why.episode}: {what}"
    if score.exceeds:
        return "no alert: this window is above the threshold, too few of its neighbours are"
    return "no alert: below the threshold"


def _when(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1e3, UTC):%Y-%m-%d %H:%M:%S}Z"
