"""The knobs of the first week's caution: each turns what it names, in one process, and is put back."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the benchmark's laws need scipy")

from benchmarks.threshold_runs import caution, rows, trade
from benchmarks.threshold_runs.caution import DEFAULT, SETTINGS, Caution, turned
from benchmarks.threshold_runs.laws import DAY, LAWS, SD, days
from benchmarks.threshold_runs.scenes import HOUR
from benchmarks.threshold_runs.serve import serve
from processors.core import limits, tail
from processors.core.block_rule import BlockRule
from processors.core.block_state import BlockState
from processors.core.learning import enter
from processors.core.limits import UNKNOWN, limits_of
from processors.core.reference import Reference
from processors.core.sensitivity import plan

ROOT = Path(__file__).parents[2]
PLAN = plan(1.0)


def heard(law: str, seconds: int) -> BlockState:
    state, rule = BlockRule(PLAN).begin(), BlockRule(PLAN)
    for scores in days(law, (5, LAWS.index(law)), -(-seconds // DAY)):
        state, _ = serve(rule, state, scores[: min(DAY, seconds)])
    return state


@pytest.fixture(scope="module")
def hours() -> BlockState:
    return heard("gamma", 3 * HOUR)


@pytest.fixture(scope="module")
def week() -> BlockState:
    return heard("gamma", 3 * DAY)


def reference_of(state: BlockState) -> Reference:
    assert state.reference is not None
    return state.reference


def test_by_default_the_knobs_stand_where_the_rule_has_them() -> None:
    assert (limits._CLIP_RARITY, limits.COLDEST, PLAN.learning, tail._FAR) == DEFAULT  # type: ignore[attr-defined]
    with turned(DEFAULT):
        turned_alerts = rows.cycling("student-t4", 1_103)["alerts"]
    assert turned_alerts == rows.cycling("student-t4", 1_103)["alerts"]
    assert sum(turned_alerts) > 0


def test_clip_is_how_rare_what_chance_brings_may_be_as_it_enters(week: BlockState) -> None:
    reference = reference_of(week)
    far: dict[float, float] = {}
    largest = reference.promoted().peaks[0]
    for clip in (1.0, 2.0, 4.0):
        with turned(Caution(clip=clip)):
            _, peak, _ = enter(reference, PLAN, 100.0 * largest, None, clipped=True)
            assert peak is not None
            far[clip] = peak
    assert far[1.0] == largest
    assert far[4.0] / far[2.0] == pytest.approx(far[2.0] / far[1.0], rel=1e-3)
    _, peak, _ = enter(reference, PLAN, 100.0 * largest, None, clipped=True)
    assert peak == far[2.0]
    assert far[2.0] > largest


def test_rarity_is_how_far_the_threshold_is_foretold_in_the_first_hours(hours: BlockState) -> None:
    rule, far = BlockRule(PLAN), {}
    for rarity in (2.0, 8.0, 16.0):
        with turned(Caution(rarity=rarity)):
            far[rarity] = rule.refreshed(hours).limits.peak
    assert far[16.0] > far[8.0] > far[2.0]
    assert rule.refreshed(hours).limits.peak == far[8.0] == hours.limits.peak


def test_learning_is_what_the_first_week_is_judged_by_and_no_more(week: BlockState) -> None:
    reference = reference_of(week)
    for times in (1.0, 5.0):
        with turned(Caution(learning=times)):
            turned_limits = BlockRule(PLAN).refreshed(week).limits
        assert turned_limits == limits_of(reference, replace(PLAN, learning=times), UNKNOWN)
        assert turned_limits.peak != week.limits.peak
        assert turned_limits.level != week.limits.level
    first = reference.days[0]
    ready = week._replace(reference=reference._replace(days=(first,) * 7))
    assert reference_of(ready).ready
    with turned(Caution(learning=5.0)):
        turned_limits = BlockRule(PLAN).refreshed(ready).limits
    assert turned_limits == BlockRule(PLAN).refreshed(ready).limits


def test_far_weighs_one_extrapolation_against_the_other(hours: BlockState) -> None:
    reference, at = reference_of(hours), {}
    for far in (0.0, 0.5, 1.0):
        with turned(Caution(far=far)):
            at[far] = BlockRule(PLAN).refreshed(hours).limits.peak
    assert at[0.0] > reference.promoted().peaks[0]
    assert at[1.0] != at[0.0]
    assert at[0.5] == pytest.approx((at[0.0] * at[1.0]) ** 0.5)
    assert at[0.5] == hours.limits.peak


def test_a_knob_is_put_back_when_a_run_fails(hours: BlockState) -> None:
    with pytest.raises(ZeroDivisionError), turned(Caution(1.5, 20.0, 7.0, 1.0)):
        raise ZeroDivisionError
    assert (DEFAULT.clip, DEFAULT.rarity, DEFAULT.far) == (limits._CLIP_RARITY, limits.COLDEST, tail._FAR)  # type: ignore[attr-defined]
    assert BlockRule(PLAN).refreshed(hours).limits == hours.limits


def test_the_threshold_moves_as_in_the_table_and_it_is_said_why() -> None:
    # The first loud score of the storm of device 45 raises a short alarm, which leaves with the hour it was heard in.
    for device, why in ((6, "first hour"), (45, ""), (0, "")):
        found = caution.moved(device, 60, True)
        assert found["moved"] == rows.storms("gamma", 800 + device, HOUR)["moved"]
        assert found["why"] == why
        assert (found["moved"] > 0.01) == bool(why)
    # Without a storm nothing holds the learning.
    assert caution.moved(0, 60, False)["moved"] > 0.01


def test_the_threshold_stands_where_the_rule_puts_it() -> None:
    law, device = "gamma", 3
    at_hour = dict(zip(caution.HOURS, caution.distances(law, device), strict=True))
    rule = BlockRule(PLAN)
    first, second = days(law, (900 + device, 11), 2)
    state, _ = serve(rule, rule.begin(), first)
    state, _ = serve(rule, state, second[: 2 * HOUR])
    assert at_hour[26] == state.limits.peak / SD[law]
    assert at_hour[24] != at_hour[26]


def test_events_are_tried_on_a_device_heard_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def counted(rule: BlockRule, state: BlockState, scores: Any) -> Any:
        lengths.append(len(scores))
        return serve(rule, state, scores)

    monkeypatch.setattr(rows, "serve", counted)
    rows.recall("gamma", 700, 1.0, 26 * HOUR)
    assert lengths == [DAY, 2 * HOUR]


def test_a_difference_is_taken_device_by_device() -> None:
    default = {"of_each_from_day_8": "0 7 3", "days_from_day_8": 14}
    other = {"of_each_from_day_8": "14 21 17", "days_from_day_8": 14}
    assert caution.difference(other, default) == [1.0, 0.0]
    assert caution.error([0.0, 7.0, 3.0]) == [round(10 / 3, 4), round(2 * float(np.std([0, 7, 3], ddof=1)) / 3**0.5, 4)]


def test_every_measure_of_every_setting_is_run_once_a_device() -> None:
    asked: list[tuple[Any, ...]] = []

    def submit(function: Any, *arguments: Any) -> Future[Any]:
        asked.append((function, *arguments))
        return Future()

    settings = {
        name: len(list(runs(law)))
        for name, laws, runs, _ in caution.parts(3, 5, submit)
        for law in laws
        if name in SETTINGS and law == "student-t4"
    }
    assert settings == dict.fromkeys(SETTINGS, 5 + 2 * 3)
    assert {arguments[1] for arguments in asked} == set(SETTINGS.values())
    assert len(asked) == len(set(asked))


def test_a_bold_first_day_finds_more_and_errs_more() -> None:
    bold, careful = (
        caution.gather(
            [caution.measured(knobs, name, "gamma", device) for name in ("alarms", "hour 24") for device in range(2)]
        )
        for knobs in (Caution(rarity=2.0), Caution(rarity=100.0, learning=0.2))
    )
    assert bold["alarms"]["day_1"][0] > careful["alarms"]["day_1"][0]
    assert bold["alarms"]["devices"] == 2
    assert bold["alarms"]["days_from_day_8"] == 7
    assert [share for share, _ in bold["hour 24"]] > [share for share, _ in careful["hour 24"]]


def test_the_page_shows_the_kept_trade() -> None:
    kept = json.loads((ROOT / "benchmarks" / "results" / "thresholds.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "thresholds.md").read_text(encoding="utf-8")
    assert f"\n\n{trade.of(kept['figures'])}\n\n" in page
