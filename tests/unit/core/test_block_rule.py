"""The block rule: exceedances, episodes, the reference and suppressed alerts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import dump, load
from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_DAY, budget_plan
from processors.core.threshold.feedback import accept_as_normal, apply_judgement, undo_acceptance
from processors.core.threshold.limits import Prior, prior_of
from processors.core.threshold.regime import enter_regime, max_regimes
from schemas.manifest import Calibration

from .scores import RULE, SECOND, apply_scores, gaussian, opened, ready_state

ABSOLUTE = Calibration(transfer="absolute", threshold=2.8, spread=1.5, n=9, quantiles={})
RELATIVE = Calibration(transfer="relative", threshold=5.0, spread=0.2, n=9, quantiles={})


def test_a_running_block_alerts_at_the_very_score() -> None:
    _, decisions = apply_scores(ready_state(), [*gaussian(30), 12.0, *gaussian(30, 2)])

    assert opened(decisions) == [30]
    assert (decisions[30].kind, decisions[30].exceeds) == ("peak", True)


def test_the_threshold_is_the_second_largest_of_the_reference() -> None:
    state = ready_state()
    days = [day._replace(peaks=(4.0,) * len(day.peaks)) for day in state.reference.days]
    days[3] = days[3]._replace(peaks=(9.0, 5.0, *days[3].peaks[2:]))
    state = RULE.refresh_limits(state._replace(reference=state.reference._replace(days=tuple(days))))

    assert state.limits.peak == 5.0


def test_the_p_value_counts_the_new_block_too() -> None:
    _, (quiet,) = apply_scores(ready_state(), [4.79])
    _, (loud,) = apply_scores(ready_state(), [99.0])
    n = RULE.plan.blocks

    assert loud.p_value == pytest.approx(1 / (n + 1))
    assert quiet.p_value == pytest.approx((1 + RULE.plan.days) / (n + 1))


def test_m_of_n_scores_confirm_and_a_gap_starts_over() -> None:
    rule = replace(RULE, min_confirmations=2, window_count=3)
    state, once = apply_scores(ready_state(rule), [12.0, *gaussian(5)], rule)
    assert opened(once) == []

    _, (last,) = apply_scores(state, [12.0], rule)
    assert last.alert == "none"
    _, twice = apply_scores(state, [12.0, 0.0, 12.0], rule)
    assert opened(twice) == [2]
    broken, _ = rule.step(apply_scores(state, [12.0], rule)[0], 12.0, SECOND, after_gap=True)
    assert broken.episodes.current is None


def test_a_lasting_change_is_detected_by_its_level_though_no_score_exceeds() -> None:
    state, before = apply_scores(ready_state(), gaussian(600))
    _, decisions = apply_scores(state, [3.0 + 0.2 * score for score in gaussian(120)])

    assert opened(before) == []
    assert opened(decisions)
    assert opened(decisions)[0] < 60
    assert decisions[opened(decisions)[0]].kind == "level"


def test_a_lasting_fault_stays_open_and_moves_no_limit() -> None:
    state, _ = apply_scores(ready_state(), gaussian(600))
    before = state
    state, fault = apply_scores(state, [4.0 + score for score in gaussian(1_800, 2)])
    state, after = apply_scores(state, gaussian(1_800, 3))

    flagged = sum(decision.alert in ("opens", "open") for decision in fault)
    assert flagged >= 0.95 * len(fault)
    assert [decision.alert for decision in after].count("closes") == 1
    assert state.limits.peak == before.limits.peak
    assert state.limits.level == before.limits.level
    _, second = apply_scores(state, [4.0 + score for score in gaussian(300, 4)])
    assert opened(second)


def test_nothing_enters_the_reference_while_an_alert_is_open() -> None:
    state, _ = apply_scores(ready_state(), [8.0 + score for score in gaussian(600)])

    assert state.episodes.current is not None
    assert state.reference.hour.blocks == 0


def test_nothing_enters_the_reference_in_the_guard_time() -> None:
    state, _ = apply_scores(ready_state(), gaussian(3_540))
    before = state.reference.hour.blocks
    state, _ = apply_scores(state, [12.0, *gaussian(16, 2)])
    assert state.episodes.current is None
    guarded, _ = apply_scores(state, gaussian(240, 3))

    assert before == 59
    assert guarded.reference.hour.blocks == before
    later, _ = apply_scores(guarded, gaussian(240, 4))
    assert later.reference.hour.blocks > before or later.reference.today.blocks > 0


def test_a_short_episode_enters_clipped() -> None:
    state, _ = apply_scores(ready_state(), [1e6, *gaussian(60)])

    peaks = state.reference.days[-1].peaks
    assert 4.8 < peaks[0] < 4.8 * 1.24
    assert state.limits.peak < 4.8 * 1.24


def test_repeated_episodes_do_not_enter() -> None:
    state = ready_state()
    for _ in range(RULE.plan.max_daily_episodes + 3):
        state, _ = apply_scores(state, [50.0, *gaussian(600)])

    entered_peaks = [past.entered_peak for past in state.episodes.closed]
    assert sum(peak is not None for peak in entered_peaks) == RULE.plan.max_daily_episodes
    assert entered_peaks[-1] is None


def test_a_false_alarm_enters_unclipped_and_a_real_one_is_withdrawn() -> None:
    state, decisions = apply_scores(ready_state(), [30.0, *gaussian(60)])
    number = decisions[0].episode
    false = apply_judgement(RULE, state, number, "false-alarm")
    real = apply_judgement(RULE, state, number, "real")

    assert 30.0 in false.reference.days[-1].peaks
    before = ready_state().reference.days[-1].peaks
    assert real.reference.days[-1].peaks == before[:-1]
    assert apply_judgement(RULE, false, number, "real").limits == real.limits
    assert apply_judgement(RULE, state, 99, "real") == state


def test_feedback_on_the_current_episode_counts_when_it_closes() -> None:
    state, decisions = apply_scores(ready_state(), [30.0, 0.0])
    state = apply_judgement(RULE, state, decisions[0].episode, "real")
    state, _ = apply_scores(state, gaussian(60))

    assert state.reference.days == ready_state().reference.days


def test_this_is_normal_moves_the_location_and_can_be_undone() -> None:
    state, _ = apply_scores(ready_state(), [3.0 + score for score in gaussian(400)])
    assert state.episodes.current is not None
    moved = accept_as_normal(RULE, state)

    assert moved.episodes.current is None
    assert moved.limits.location == pytest.approx(3.0, abs=0.6)
    _, decisions = apply_scores(moved, [3.0 + score for score in gaussian(600, 2)])
    assert opened(decisions) == []
    assert undo_acceptance(RULE, moved).limits.location == state.limits.location
    assert undo_acceptance(RULE, state) == state


def test_a_faulty_day_in_quarantine_is_never_promoted() -> None:
    state, _ = apply_scores(ready_state(), gaussian(600))
    state, _ = apply_scores(state, [6.0 + score for score in gaussian(300)])
    state, _ = apply_scores(state, gaussian(300, 2))

    assert state.reference.quarantine is None
    assert state.reference.today.blocks == 0
    assert state.reference.days == ready_state().reference.days


def test_a_peak_within_the_cooldown_opens_nothing_but_a_level_does() -> None:
    state, _ = apply_scores(ready_state(), [12.0, *gaussian(17)])
    assert state.episodes.current is None
    _, (peak,) = apply_scores(state, [12.0])
    _, level = apply_scores(state, [5.0 + 0.2 * score for score in gaussian(40)])

    assert (peak.alert, peak.suppressed, peak.exceeds) == ("none", "cooldown", True)
    assert opened(level)


def test_alerts_over_the_limit_are_suppressed_and_reported_once_an_hour() -> None:
    rule = replace(RULE, max_daily_alerts=2)
    state, reported, alerts, suppressed = ready_state(rule), [], 0, 0
    for _ in range(6):
        state, decisions = apply_scores(state, [50.0, *gaussian(899)], rule)
        alerts += len(opened(decisions))
        suppressed += sum(decision.suppressed == "budget" and decision.score == 50.0 for decision in decisions)
        reported += [decision.suppressed_to_report for decision in decisions if decision.suppressed_to_report]

    assert (alerts, suppressed) == (2, 4)
    assert sum(reported) + state.episodes.suppressed == 4
    assert len(reported) <= 2


def test_slow_drift_is_reported_once_and_raises_no_alert() -> None:
    state = ready_state()
    rng, alerts, notices = np.random.default_rng(1), 0, 0
    for hour in range(60):
        # A score a second, and none of them far out.
        state, decisions = apply_scores(state, np.clip(rng.normal(size=3_600), -3.0, 3.0) + 1.5 / 24 * hour)
        alerts += len(opened(decisions))
        notices += sum(decision.drift_to_report for decision in decisions)

    assert (alerts, notices) == (0, 1)
    assert state.limits.location == pytest.approx(1.5 / 24 * 59, abs=0.2)


@pytest.mark.parametrize("score", [0.4, -0.4])
def test_the_location_follows_at_the_slew_limit(score: float) -> None:
    state = ready_state()
    state, _ = apply_scores(state, [score] * 180, step_ns=BLOCK_NS // 3)

    assert state.limits.location == pytest.approx(math.copysign(0.15, score))


def wander(days: list[float]) -> tuple[list[int], list[float]]:
    """Days on which drift was reported, and the baselines at their ends, of a location that rises by so much a day."""
    state, location, per_day = ready_state(), 0.0, 3 * BLOCKS_PER_DAY
    reported, baselines = [], []
    for day, rise in enumerate(days):
        scores = location + np.linspace(0.0, rise, per_day) + 0.3 * np.clip(gaussian(per_day, day), -2.0, 2.0)
        state, decisions = apply_scores(state, scores, step_ns=BLOCK_NS // 3)
        location += rise
        reported += [day] * sum(decision.drift_to_report for decision in decisions)
        assert state.reference is not None
        baselines.append(state.reference.baseline)
    return reported, baselines


def test_a_location_steady_for_three_days_after_a_drift_becomes_the_baseline() -> None:
    reported, baselines = wander([0.5] * 2 + [0.0] * 6 + [0.5] * 2)

    assert len(reported) == 2
    assert reported[0] in (1, 2)
    assert reported[1] in (8, 9)
    assert baselines[:4] == [0.0] * 4
    assert baselines[7] == pytest.approx(1.0, abs=0.05)


def test_a_drift_that_comes_and_goes_is_reported_once() -> None:
    reported, _ = wander([0.5, 0.5, -0.5, -0.5, 0.5, 0.5])

    assert len(reported) == 1


def test_a_new_device_has_no_threshold_for_eight_scores() -> None:
    _, decisions = apply_scores(RULE.begin(), gaussian(12))

    assert [decision.threshold is None for decision in decisions] == [True] * 8 + [False] * 4
    assert decisions[-1].state == "calibrating"


def test_after_half_a_minute_the_threshold_is_low_enough_to_detect() -> None:
    thresholds = [apply_scores(RULE.begin(), gaussian(36, seed))[1][-1].threshold for seed in range(20)]

    assert 3.0 < float(np.median(np.array(thresholds, dtype=float))) < 6.5


def test_absolute_scores_have_their_threshold_at_once_and_it_rises_by_one_spread_at_most() -> None:
    rule = BlockRule(budget_plan(1.0, sustained=False), prior_of(ABSOLUTE))
    noisy = [1.5 + score for score in gaussian(7_200)]
    state, decisions = apply_scores(rule.begin(), noisy, rule)

    assert decisions[0].threshold == ABSOLUTE.threshold
    assert state.limits.location + state.limits.peak == pytest.approx(ABSOLUTE.threshold + ABSOLUTE.spread)


def test_a_model_with_its_own_threshold_extrapolates_nothing() -> None:
    rule = BlockRule(budget_plan(1.0), Prior(min_threshold=1.0, max_threshold=50.0))
    state, decisions = apply_scores(rule.begin(), gaussian(3_600 * 3), rule)
    highest = max(decision.confirmed for decision in decisions)

    assert state.limits.location + state.limits.peak <= highest + 0.5


def test_a_room_below_the_models_threshold_keeps_it() -> None:
    rule = BlockRule(budget_plan(1.0, sustained=False), prior_of(ABSOLUTE))
    state, decisions = apply_scores(rule.begin(), [0.5 * score - 1.0 for score in gaussian(7_200)], rule)

    assert {decision.threshold for decision in decisions[:2_000]} == {ABSOLUTE.threshold}
    assert state.limits.location + state.limits.peak == pytest.approx(ABSOLUTE.threshold)


def test_peers_provide_the_first_limits() -> None:
    reference = ready_state().reference
    assert reference is not None
    prior = prior_of(RELATIVE, [reference] * 3, RULE.plan)
    rule = BlockRule(RULE.plan, prior)
    _, decisions = apply_scores(rule.begin(), gaussian(3_599), rule)

    assert prior.peak == pytest.approx(4.8)
    assert decisions[-1].threshold == pytest.approx(4.8, abs=0.4)
    assert prior_of(RELATIVE) == Prior(floor=pytest.approx(0.6))


def test_an_untypical_first_minute_is_discarded() -> None:
    state, decisions = apply_scores(RULE.begin(), [*gaussian(20), *(40.0 + score for score in gaussian(1_200))])

    steps = [decision.alert for decision in decisions]
    assert steps.count("opens") == 1
    assert steps.count("closes") == 1
    assert state.limits.location == pytest.approx(40.0, abs=1.0)


def test_each_regime_has_its_own_reference() -> None:
    state = enter_regime(RULE, ready_state(), "night")
    state, _ = apply_scores(state, [-20.0 + score for score in gaussian(3_700)])
    assert state.limits.location == pytest.approx(-20.0, abs=0.5)

    day = enter_regime(RULE, state, "")
    assert day.limits == ready_state().limits
    assert enter_regime(RULE, day, "night").reference == state.reference
    assert enter_regime(RULE, day, "") is day
    assert max_regimes(RULE) == 2
    assert enter_regime(RULE, day, "third") is day


@pytest.mark.parametrize("step_ns", [240_000_000, 960_000_000, SECOND])
def test_a_block_is_a_minute_whatever_the_hop(step_ns: int) -> None:
    n = -(-BLOCK_NS // step_ns)
    state, _ = apply_scores(ready_state(), gaussian(n), step_ns=step_ns)

    assert state.reference.hour.blocks == 1
    assert state.block.block_ns == 0


def test_a_state_is_small_and_survives_being_stored() -> None:
    state, _ = apply_scores(ready_state(days=60), [12.0, *gaussian(7_300)])

    assert load(dump(state)) == state
    assert len(dump(state)) < 8_192
    assert state.reference.days[0].blocks == BLOCKS_PER_DAY
