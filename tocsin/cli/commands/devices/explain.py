"""`tocsin devices explain`: why a window did, or did not, raise an alert."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from processors.adapters.models.detectors import load_detectors
from processors.core.alerting.detectors import Detector, detector_named
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.budget import explain_budget as budget_arithmetic
from schemas.errors import SettingsError
from schemas.score import Score
from schemas.time_text import utc_text
from tocsin.addresses import kafka_connection
from tocsin.cli.options import DetectorFilter, DeviceId, JsonLines, Kafka
from tocsin.cli.time_args import time_ms
from tocsin.client.scores import read_scores
from tocsin.settings import load_settings
from tocsin.terminal import print_json, print_lines

_SEARCH_MS = 600_000
"""How long before the given time a window is searched for."""
_FIRST_HOUR = 0.006
"""Calibration progress of a device's first hour, in which scores and not minutes are ranked."""


def explain(
    device: DeviceId,
    at: Annotated[
        str | None,
        typer.Option(help="Time to explain: how long ago, such as 20m, or a time with its zone. Default: the latest."),
    ] = None,
    detector: DetectorFilter = None,
    json: JsonLines = False,
    kafka: Kafka = None,
) -> None:
    """Explain why a device did, or did not, raise an alert.

    For each detector the window nearest to --at is shown: its score, threshold, p-value, regime and the budget
    arithmetic behind them.
    """
    settings = load_settings()
    bootstrap, detectors = kafka_connection(settings, kafka), load_detectors(settings.detectors)
    now_ms = round(time.time() * 1_000)
    at_ms = now_ms if at is None else time_ms(at, "--at", now_ms)
    scores = asyncio.run(read_scores(bootstrap, at_ms - _SEARCH_MS, detector, device))
    nearest: dict[str, Score] = {}
    for score in scores:
        if score.stage == "champion":
            best = nearest.get(score.detector)
            if best is None or _distance_ms(score, at_ms) <= _distance_ms(best, at_ms):
                nearest[score.detector] = score
    if not nearest:
        raise SettingsError(
            f"no window of {device!r} was scored in the ten minutes before {utc_text(at_ms * 1_000_000)}Z or since: is"
            " the name right, and does it send sound? `tocsin devices list` shows the fleet"
        )
    for score in nearest.values():
        if json:
            print_json(score)
        else:
            print_lines(_lines(score, detector_named(score.detector, detectors)))


def _distance_ms(score: Score, at_ms: int) -> int:
    return abs(score.captured_ns // 1_000_000 - at_ms)


def _lines(score: Score, detector: Detector) -> list[str]:
    start = score.first_sample / score.sample_rate
    lines = [
        f"{score.device_id}, {score.detector}: window of {utc_text(score.captured_ns)}Z,"
        f" {start:.2f} s into session {score.session_id}, scored by {score.model.name} {score.model.version}",
        f"  {_decision(score)}",
    ]
    explanation = score.explanation
    threshold = "none yet" if score.threshold is None else f"{score.threshold:.3f}"
    lines.append(f"  score {score.score:.3f}, threshold {threshold}, sound level {score.level_dbfs:.0f} dBFS")
    if explanation is None:
        return lines
    if explanation.confirmed is not None:
        lines.append(
            f"  compared with the threshold: {explanation.confirmed:.3f}, which {detector.min_confirmations} of the"
            f" last {detector.window_count} windows reach"
        )
    lines.append(
        f"  p-value {explanation.p_value:.3g}: (1 + reference values at least as high) /"
        f" ({explanation.reference_blocks:,} + 1),"
        f" minute {explanation.block:,}"
    )
    if explanation.level_threshold is not None:
        lines.append(
            f"  mean of the present minute: {explanation.level:.3f} above usual; alerts above"
            f" {explanation.level_threshold:.3f}"
        )
    if score.threshold_state == "calibrating":
        lines.append(f"  calibrating: {explanation.calibration_progress:.1%} of a week of its own sound")
    if score.regime:
        lines.append(f"  compared with the reference of operating regime {score.regime!r}")
    if score.reported_regime and score.reported_regime != score.regime:
        lines.append(f"  its producer reported the regime {score.reported_regime!r}")
    if score.degraded:
        lines.append("  degraded: Redis was unavailable, so the last known threshold was used")
    budget = budget_plan(explanation.false_alarms_per_week, sustained=detector.sustained)
    n = explanation.reference_blocks if explanation.calibration_progress > _FIRST_HOUR else None
    return [*lines, *(f"  {line}" for line in budget_arithmetic(budget, n))]


def _decision(score: Score) -> str:
    explanation = score.explanation
    if score.threshold is None:
        return "no alert: the device is warming up and has no threshold yet"
    if explanation is None:
        return "above its threshold" if score.exceeds else "below its threshold"
    if explanation.suppressed:
        reasons = {"budget": "the day's budget of alerts is spent", "cooldown": "an alert has just been closed"}
        return f"suppressed: {reasons[explanation.suppressed]}"
    if explanation.episode:
        kinds = {"peak": "single scores exceed", "level": "the minute as a whole exceeds", "": "it exceeds"}
        return f"part of alert episode {explanation.episode}: {kinds[explanation.kind]}"
    if score.exceeds:
        return "no alert: this window is above the threshold, too few of its neighbours are"
    return "no alert: below the threshold"
