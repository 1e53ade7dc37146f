"""The constants of the ablation: each changes what it names, in one process, and is restored."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the benchmark's distributions need scipy")

from benchmarks.thresholds import ablation, rows, trade_off
from benchmarks.thresholds.ablation import DEFAULT, VARIANTS, RuleConstants, patched
from benchmarks.thresholds.distributions import DAY, DISTRIBUTIONS, SD, days
from benchmarks.thresholds.rule_run import run_rule
from benchmarks.thresholds.scenarios import HOUR
from processors.core.threshold import limits
from processors.core.threshold import tail_extrapolation as tail
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.limits import NO_PRIOR, limits_of
from processors.core.threshold.reference import Reference
from processors.core.threshold.reference_update import enter_episode

ROOT = Path(__file__).parents[2]
PLAN = budget_plan(1.0)


def state_after(distribution: str, seconds: int) -> BlockState:
    state, rule = BlockRule(PLAN).begin(), BlockRule(PLAN)
    for scores in days(distribution, (5, DISTRIBUTIONS.index(distribution)), -(-seconds // DAY)):
        state, _ = run_rule(rule, state, scores[: min(DAY, seconds)])
    return state


@pytest.fixture(scope="module")
def hours() -> BlockState:
    return state_after("gamma", 3 * HOUR)


@pytest.fixture(scope="module")
def week() -> BlockState:
    return state_after("gamma", 3 * DAY)


def reference_of(state: BlockState) -> Reference:
    assert state.reference is not None
    return state.reference


def test_the_defaults_are_the_rules_own_constants() -> None:
    assert (limits._CLIP_RARITY, limits.MAX_EXTRAPOLATION, PLAN.calibration_allowance, tail._INNER_WEIGHT) == DEFAULT  # type: ignore[attr-defined]
    with patched(DEFAULT):
        patched_alerts = rows.daily_cycle("student-t4", 1_103)["alerts"]
    assert patched_alerts == rows.daily_cycle("student-t4", 1_103)["alerts"]
    assert sum(patched_alerts) > 0


def test_clip_bounds_the_rarity_of_a_block_maximum_that_enters(week: BlockState) -> None:
    reference = reference_of(week)
    far: dict[float, float] = {}
    largest = reference.ranked_maxima().peaks[0]
    for clip in (1.0, 2.0, 4.0):
        with patched(RuleConstants(clip=clip)):
            _, entered, _ = enter_episode(reference, PLAN, 100.0 * largest, None, clipped=True)
            assert entered is not None
            far[clip] = entered
    assert far[1.0] == largest
    assert far[4.0] / far[2.0] == pytest.approx(far[2.0] / far[1.0], rel=1e-3)
    _, peak, _ = enter_episode(reference, PLAN, 100.0 * largest, None, clipped=True)
    assert peak == far[2.0]
    assert far[2.0] > largest


def test_max_extrapolation_bounds_the_threshold_in_the_first_hours(hours: BlockState) -> None:
    rule, far = BlockRule(PLAN), {}
    for factor in (2.0, 8.0, 16.0):
        with patched(RuleConstants(max_extrapolation=factor)):
            far[factor] = rule.refresh_limits(hours).limits.peak
    assert far[16.0] > far[8.0] > far[2.0]
    assert rule.refresh_limits(hours).limits.peak == far[8.0] == hours.limits.peak


def test_the_calibration_factor_applies_in_the_first_week_only(week: BlockState) -> None:
    reference = reference_of(week)
    for factor in (1.0, 5.0):
        with patched(RuleConstants(calibration_factor=factor)):
            patched_limits = BlockRule(PLAN).refresh_limits(week).limits
        assert patched_limits == limits_of(reference, replace(PLAN, calibration_allowance=factor), NO_PRIOR)
        assert patched_limits.peak != week.limits.peak
        assert patched_limits.level != week.limits.level
    first = reference.days[0]
    ready = week._replace(reference=reference._replace(days=(first,) * 7))
    assert reference_of(ready).ready
    with patched(RuleConstants(calibration_factor=5.0)):
        patched_limits = BlockRule(PLAN).refresh_limits(ready).limits
    assert patched_limits == BlockRule(PLAN).refresh_limits(ready).limits


def test_the_inner_weight_blends_the_two_extrapolations(hours: BlockState) -> None:
    reference, at = reference_of(hours), {}
    for weight in (0.0, 0.5, 1.0):
        with patched(RuleConstants(inner_weight=weight)):
            at[weight] = BlockRule(PLAN).refresh_limits(hours).limits.peak
    assert at[0.0] > reference.ranked_maxima().peaks[0]
    assert at[1.0] != at[0.0]
    assert at[0.5] == pytest.approx((at[0.0] * at[1.0]) ** 0.5)
    assert at[0.5] == hours.limits.peak


def test_constants_are_restored_when_a_run_fails(hours: BlockState) -> None:
    with pytest.raises(ZeroDivisionError), patched(RuleConstants(1.5, 20.0, 7.0, 1.0)):
        raise ZeroDivisionError
    assert (DEFAULT.clip, DEFAULT.max_extrapolation, DEFAULT.inner_weight) == (
        limits._CLIP_RARITY,
        limits.MAX_EXTRAPOLATION,  # type: ignore[attr-defined]
        tail._INNER_WEIGHT,
    )
    assert BlockRule(PLAN).refresh_limits(hours).limits == hours.limits


def test_the_threshold_shifts_as_in_the_table_and_the_reason_is_given() -> None:
    # The first loud score of the fault of device 45 raises a short alarm, which leaves with its hour.
    for device, reason in ((124, "warm-up"), (45, ""), (0, "")):
        found = ablation.threshold_shift(device, 60, True)
        assert found["shift"] == rows.sustained_faults("gamma", 800 + device, HOUR)["shift"]
        assert found["reason"] == reason
        assert (found["shift"] > 0.01) == bool(reason)
    # Without a fault nothing holds the calibration.
    assert ablation.threshold_shift(0, 60, False)["shift"] > 0.01


def test_threshold_distances_are_the_rules_own_thresholds() -> None:
    distribution, device = "gamma", 3
    at_hour = dict(zip(ablation.HOURS, ablation.threshold_distances(distribution, device), strict=True))
    rule = BlockRule(PLAN)
    first, second = days(distribution, (900 + device, 11), 2)
    state, _ = run_rule(rule, rule.begin(), first)
    state, _ = run_rule(rule, state, second[: 2 * HOUR])
    assert at_hour[26] == state.limits.peak / SD[distribution]
    assert at_hour[24] != at_hour[26]


def test_recall_is_measured_after_exactly_the_observed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def counted(rule: BlockRule, state: BlockState, scores: Any) -> Any:
        lengths.append(len(scores))
        return run_rule(rule, state, scores)

    monkeypatch.setattr(rows, "run_rule", counted)
    rows.recall("gamma", 700, 1.0, 26 * HOUR)
    assert lengths == [DAY, 2 * HOUR]


def test_a_difference_is_paired_by_device() -> None:
    default = {"of_each_from_day_8": "0 7 3", "days_from_day_8": 14}
    other = {"of_each_from_day_8": "14 21 17", "days_from_day_8": 14}
    assert ablation.paired_difference(other, default) == [1.0, 0.0]
    assert ablation.mean_and_error([0.0, 7.0, 3.0]) == [
        round(10 / 3, 4),
        round(2 * float(np.std([0, 7, 3], ddof=1)) / 3**0.5, 4),
    ]


def test_every_measure_of_every_variant_runs_once_per_device() -> None:
    asked: list[tuple[Any, ...]] = []

    def submit(function: Any, *arguments: Any) -> Future[Any]:
        asked.append((function, *arguments))
        return Future()

    runs_per_variant = {
        name: len(list(runs(distribution)))
        for name, distributions, runs, _ in ablation.row_plans(3, 5, submit)
        for distribution in distributions
        if name in VARIANTS and distribution == "student-t4"
    }
    assert runs_per_variant == dict.fromkeys(VARIANTS, 5 + 2 * 3)
    assert {arguments[1] for arguments in asked} == set(VARIANTS.values())
    assert len(asked) == len(set(asked))


def test_a_lower_first_day_threshold_raises_recall_and_false_alarms() -> None:
    low, high = (
        ablation.summarise(
            [
                ablation.measure(constants, name, "gamma", device)
                for name in ("alarms", "hour 24")
                for device in range(2)
            ]
        )
        for constants in (
            RuleConstants(max_extrapolation=2.0),
            RuleConstants(max_extrapolation=100.0, calibration_factor=0.2),
        )
    )
    assert low["alarms"]["day_1"][0] > high["alarms"]["day_1"][0]
    assert low["alarms"]["devices"] == 2
    assert low["alarms"]["days_from_day_8"] == 7
    assert [share for share, _ in low["hour 24"]] > [share for share, _ in high["hour 24"]]


def test_the_page_shows_the_saved_trade_off() -> None:
    saved = json.loads((ROOT / "benchmarks" / "results" / "thresholds.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "appendix" / "thresholds-first-week.md").read_text(encoding="utf-8")
    assert f"\n\n{trade_off.of(saved['figures'])}\n\n" in page
