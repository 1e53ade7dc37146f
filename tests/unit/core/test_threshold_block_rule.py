"""The block rule: what exceeds, what is learned, what is kept back."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import dump, load
from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_DAY, plan
from processors.core.threshold.feedback import accepted, judged, rolled_back
from processors.core.threshold.limits import Prior, prior_of
from processors.core.threshold.regime import entered, most_regimes
from schemas.manifest import Calibration

from .scores import RULE, SECOND, hear, known, normal, opened

ABSOLUTE = Calibration(transfer="absolute", threshold=2.8, spread=1.5, n=9, quantiles={})
OWN = Calibration(transfer="own", threshold=2.8, spread=0.25, n=9, quantiles={})
RELATIVE = Calibration(transfer="relative", threshold=5.0, spread=0.2, n=9, quantiles={})


def test_a_running_block_alerts_at_the_very_score() -> None:
    _, decisions = hear(known(), [*normal(30), 12.0, *normal(30, 2)])

    assert opened(decisions) == [30]
    assert (decisions[30].kind, decisions[30].exceeds) == ("peak", True)


def test_the_threshold_is_the_second_largest_of_the_whole_reference() -> None:
    state = known()
    days = [day._replace(peaks=(4.0,) * len(day.peaks)) for day in state.reference.days]  # type: ignore[union-attr]
    days[3] = days[3]._replace(peaks=(9.0, 5.0, *days[3].peaks[2:]))
    state = RULE.refreshed(state._replace(reference=state.reference._replace(days=tuple(days))))  # type: ignore[union-attr]

    assert state.limits.peak == 5.0


def test_the_p_value_counts_the_new_block_too() -> None:
    _, (quiet,) = hear(known(), [4.79])
    _, (loud,) = hear(known(), [99.0])
    n = RULE.plan.blocks

    assert loud.p_value == pytest.approx(1 / (n + 1))
    assert quiet.p_value == pytest.approx((1 + RULE.plan.days) / (n + 1))


def test_m_of_n_scores_confirm_and_a_gap_begins_anew() -> None:
    rule = replace(RULE, confirm=2, among=3)
    state, once = hear(known(rule), [12.0, *normal(5)], rule)
    assert opened(once) == []

    _, (last,) = hear(state, [12.0], rule)
    assert last.alert == "none"
    _, twice = hear(state, [12.0, 0.0, 12.0], rule)
    assert opened(twice) == [2]
    broken, _ = rule.step(hear(state, [12.0], rule)[0], 12.0, SECOND, fresh=True)
    assert broken.book.open is None


def test_what_lasts_is_found_by_its_level_though_no_score_exceeds() -> None:
    state, before = hear(known(), normal(600))
    _, decisions = hear(state, [3.0 + 0.2 * score for score in normal(120)])

    assert opened(before) == []
    assert opened(decisions)
    assert opened(decisions)[0] < 60
    assert decisions[opened(decisions)[0]].kind == "level"


def test_a_lasting_fault_stays_flagged_and_moves_nothing() -> None:
    state, _ = hear(known(), normal(600))
    before = state
    state, storm = hear(state, [4.0 + score for score in normal(1_800, 2)])
    state, after = hear(state, normal(1_800, 3))

    flagged = sum(decision.alert in ("opens", "open") for decision in storm)
    assert flagged >= 0.95 * len(storm)
    assert [decision.alert for decision in after].count("closes") == 1
    assert state.limits.peak == before.limits.peak
    assert state.limits.level == before.limits.level
    _, second = hear(state, [4.0 + score for score in normal(300, 4)])
    assert opened(second)


def test_nothing_is_learned_while_an_alert_is_open() -> None:
    state, _ = hear(known(), [8.0 + score for score in normal(600)])

    assert state.book.open is not None
    assert state.reference.hour.n == 0  # type: ignore[union-attr]


def test_nothing_is_learned_in_the_guard_time() -> None:
    state, _ = hear(known(), normal(3_540))
    learned = state.reference.hour.n  # type: ignore[union-attr]
    state, _ = hear(state, [12.0, *normal(16, 2)])
    assert state.book.open is None
    guarded, _ = hear(state, normal(240, 3))

    assert learned == 59
    assert guarded.reference.hour.n == learned  # type: ignore[union-attr]
    later, _ = hear(guarded, normal(240, 4))
    assert later.reference.hour.n > learned or later.reference.today.n > 0  # type: ignore[union-attr]


def test_what_chance_brings_enters_clipped() -> None:
    state, _ = hear(known(), [1e6, *normal(60)])

    peaks = state.reference.days[-1].peaks  # type: ignore[union-attr]
    assert 4.8 < peaks[0] < 4.8 * 1.24
    assert state.limits.peak < 4.8 * 1.24


def test_repeated_exceedances_are_no_chance() -> None:
    state = known()
    for _ in range(RULE.plan.repeats + 3):
        state, _ = hear(state, [50.0, *normal(600)])

    entered_peaks = [past.entered_peak for past in state.book.past]
    assert sum(peak is not None for peak in entered_peaks) == RULE.plan.repeats
    assert entered_peaks[-1] is None


def test_a_false_alarm_enters_as_it_is_and_a_real_one_leaves() -> None:
    state, decisions = hear(known(), [30.0, *normal(60)])
    number = decisions[0].episode
    false = judged(RULE, state, number, "false-alarm")
    real = judged(RULE, state, number, "real")

    assert 30.0 in false.reference.days[-1].peaks  # type: ignore[union-attr]
    before = known().reference.days[-1].peaks  # type: ignore[union-attr]
    assert real.reference.days[-1].peaks == before[:-1]  # type: ignore[union-attr]
    assert judged(RULE, false, number, "real").limits == real.limits
    assert judged(RULE, state, 99, "real") == state


def test_a_verdict_on_an_open_episode_counts_when_it_closes() -> None:
    state, decisions = hear(known(), [30.0, 0.0])
    state = judged(RULE, state, decisions[0].episode, "real")
    state, _ = hear(state, normal(60))

    assert state.reference.days == known().reference.days  # type: ignore[union-attr]


def test_this_is_normal_moves_the_place_and_can_be_taken_back() -> None:
    state, _ = hear(known(), [3.0 + score for score in normal(400)])
    assert state.book.open is not None
    moved = accepted(RULE, state)

    assert moved.book.open is None
    assert moved.limits.location == pytest.approx(3.0, abs=0.6)
    _, decisions = hear(moved, [3.0 + score for score in normal(600, 2)])
    assert opened(decisions) == []
    assert rolled_back(RULE, moved).limits.location == state.limits.location
    assert rolled_back(RULE, state) == state


def test_a_faulty_day_in_quarantine_is_never_promoted() -> None:
    state, _ = hear(known(), normal(600))
    state, _ = hear(state, [6.0 + score for score in normal(300)])
    state, _ = hear(state, normal(300, 2))

    assert state.reference.waiting is None  # type: ignore[union-attr]
    assert state.reference.today.n == 0  # type: ignore[union-attr]
    assert state.reference.days == known().reference.days  # type: ignore[union-attr]


def test_a_peak_within_the_cooldown_opens_nothing_but_a_level_does() -> None:
    state, _ = hear(known(), [12.0, *normal(17)])
    assert state.book.open is None
    _, (peak,) = hear(state, [12.0])
    _, level = hear(state, [5.0 + 0.2 * score for score in normal(40)])

    assert (peak.alert, peak.suppressed, peak.exceeds) == ("none", "cooldown", True)
    assert opened(level)


def test_over_the_budget_alerts_are_kept_back_and_told_once_an_hour() -> None:
    rule = replace(RULE, budget=2)
    state, told, alerts, kept = known(rule), [], 0, 0
    for _ in range(6):
        state, decisions = hear(state, [50.0, *normal(899)], rule)
        alerts += len(opened(decisions))
        kept += sum(decision.suppressed == "budget" and decision.score == 50.0 for decision in decisions)
        told += [decision.told for decision in decisions if decision.told]

    assert (alerts, kept) == (2, 4)
    assert sum(told) + state.book.suppressed == 4
    assert len(told) <= 2


def test_slow_drift_is_told_once_and_raises_no_alert() -> None:
    state = known()
    rng, alerts, notices = np.random.default_rng(1), 0, 0
    for hour in range(60):
        # A score a second, and none of them far out.
        state, decisions = hear(state, np.clip(rng.normal(size=3_600), -3.0, 3.0) + 1.5 / 24 * hour)
        alerts += len(opened(decisions))
        notices += sum(decision.drift for decision in decisions)

    assert (alerts, notices) == (0, 1)
    assert state.limits.location == pytest.approx(1.5 / 24 * 59, abs=0.2)


@pytest.mark.parametrize("score", [0.4, -0.4])
def test_the_location_follows_no_faster_than_drift(score: float) -> None:
    state = known()
    state, _ = hear(state, [score] * 180, step_ns=BLOCK_NS // 3)

    assert state.limits.location == pytest.approx(math.copysign(0.15, score))


def wander(days: list[float]) -> tuple[list[int], list[float]]:
    """Days on which drift was told, and baselines at the days' ends: a place that rises by so much a day."""
    state, place, per_day = known(), 0.0, 3 * BLOCKS_PER_DAY
    told, baselines = [], []
    for day, rise in enumerate(days):
        scores = place + np.linspace(0.0, rise, per_day) + 0.3 * np.clip(normal(per_day, day), -2.0, 2.0)
        state, decisions = hear(state, scores, step_ns=BLOCK_NS // 3)
        place += rise
        told += [day] * sum(decision.drift for decision in decisions)
        assert state.reference is not None
        baselines.append(state.reference.baseline)
    return told, baselines


def test_a_drift_is_told_until_its_place_has_been_steady_for_three_days_and_is_the_baseline() -> None:
    told, baselines = wander([0.5] * 2 + [0.0] * 6 + [0.5] * 2)

    assert len(told) == 2
    assert told[0] in (1, 2)
    assert told[1] in (8, 9)
    assert baselines[:4] == [0.0] * 4
    assert baselines[7] == pytest.approx(1.0, abs=0.05)


def test_a_drift_that_comes_and_goes_is_told_once() -> None:
    told, _ = wander([0.5, 0.5, -0.5, -0.5, 0.5, 0.5])

    assert len(told) == 1


def test_a_device_never_heard_has_no_threshold_for_eight_scores() -> None:
    _, decisions = hear(RULE.begin(), normal(12))

    assert [decision.threshold is None for decision in decisions] == [True] * 8 + [False] * 4
    assert decisions[-1].state == "calibrating"


def test_after_half_a_minute_the_threshold_is_near_enough_to_hear() -> None:
    stands = [hear(RULE.begin(), normal(36, seed))[1][-1].threshold for seed in range(20)]

    assert 3.0 < float(np.median(np.array(stands, dtype=float))) < 6.5


def test_absolute_scores_have_their_threshold_at_once_and_it_rises_by_one_spread_at_most() -> None:
    rule = BlockRule(plan(1.0, sustained=False), prior_of(ABSOLUTE))
    noisy = [1.5 + score for score in normal(7_200)]
    state, decisions = hear(rule.begin(), noisy, rule)

    assert decisions[0].threshold == ABSOLUTE.threshold
    assert state.limits.location + state.limits.peak == pytest.approx(ABSOLUTE.threshold + ABSOLUTE.spread)


def test_a_devices_own_model_holds_at_once_and_is_raised_by_six_spreads_at_most() -> None:
    rule = BlockRule(plan(1.0), prior_of(OWN))
    state, decisions = hear(rule.begin(), [1.5 + score for score in normal(7_200)], rule)
    quiet, _ = hear(rule.begin(), [0.3 * score - 1.0 for score in normal(7_200)], rule)

    assert decisions[0].threshold == OWN.threshold
    assert state.limits.location + state.limits.peak == pytest.approx(OWN.threshold + 6.0 * OWN.spread)
    assert quiet.limits.location + quiet.limits.peak == pytest.approx(OWN.threshold)


def test_a_model_that_says_where_its_threshold_lies_foretells_nothing_from_what_was_heard() -> None:
    rule = BlockRule(plan(1.0), Prior(low=1.0, high=50.0))
    state, decisions = hear(rule.begin(), normal(3_600 * 3), rule)
    highest = max(decision.confirmed for decision in decisions)

    assert state.limits.location + state.limits.peak <= highest + 0.5


def test_a_room_whose_sound_stays_below_the_models_threshold_keeps_it() -> None:
    rule = BlockRule(plan(1.0, sustained=False), prior_of(ABSOLUTE))
    state, decisions = hear(rule.begin(), [0.5 * score - 1.0 for score in normal(7_200)], rule)

    assert {decision.threshold for decision in decisions[:2_000]} == {ABSOLUTE.threshold}
    assert state.limits.location + state.limits.peak == pytest.approx(ABSOLUTE.threshold)


def test_devices_of_the_same_kind_stand_in_at_first() -> None:
    reference = known().reference
    assert reference is not None
    prior = prior_of(RELATIVE, [reference] * 3, RULE.plan)
    rule = BlockRule(RULE.plan, prior)
    _, decisions = hear(rule.begin(), normal(3_599), rule)

    assert prior.peak == pytest.approx(4.8)
    assert decisions[-1].threshold == pytest.approx(4.8, abs=0.4)
    assert prior_of(RELATIVE) == Prior(floor=pytest.approx(0.6))


def test_a_first_minute_that_was_not_typical_is_given_up() -> None:
    state, decisions = hear(RULE.begin(), [*normal(20), *(40.0 + score for score in normal(1_200))])

    steps = [decision.alert for decision in decisions]
    assert steps.count("opens") == 1
    assert steps.count("closes") == 1
    assert state.limits.location == pytest.approx(40.0, abs=1.0)


def test_each_regime_has_its_own_sound() -> None:
    state = entered(RULE, known(), "night")
    state, _ = hear(state, [-20.0 + score for score in normal(3_700)])
    assert state.limits.location == pytest.approx(-20.0, abs=0.5)

    day = entered(RULE, state, "")
    assert day.limits == known().limits
    assert entered(RULE, day, "night").reference == state.reference
    assert entered(RULE, day, "") is day
    assert most_regimes(RULE) == 2
    assert entered(RULE, day, "third") is day


@pytest.mark.parametrize("step_ns", [240_000_000, 960_000_000, SECOND])
def test_a_block_is_a_minute_whatever_the_hop(step_ns: int) -> None:
    n = -(-BLOCK_NS // step_ns)
    state, _ = hear(known(), normal(n), step_ns=step_ns)

    assert state.reference.hour.n == 1  # type: ignore[union-attr]
    assert state.run.filled_ns == 0


def test_a_state_is_small_and_survives_being_stored() -> None:
    state, _ = hear(known(days=60), [12.0, *normal(7_300)])

    assert load(dump(state)) == state
    assert len(dump(state)) < 8_192
    assert state.reference.days[0].n == BLOCKS_PER_DAY  # type: ignore[union-attr]
