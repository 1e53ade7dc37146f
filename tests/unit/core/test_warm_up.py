"""Warm-up: the statistics of the first hour, and when the limits are refreshed."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.warm_up import WarmUp, limits_are_due, student_quantile

from .scores import apply_scores, gaussian

RULE = BlockRule(budget_plan(1.0))
QUARANTINE = 8


def warm_up_of(state: BlockState) -> WarmUp:
    assert state.warm_up is not None
    return state.warm_up


@pytest.mark.parametrize("n", [1, 7, 8, 9, 30, 500])
def test_all_scores_but_the_latest_eight_enter_the_statistics(n: int) -> None:
    scores = gaussian(n)
    known = warm_up_of(apply_scores(RULE.begin(), scores, RULE)[0])
    accepted = np.array(scores[: max(min(n, QUARANTINE), n - QUARANTINE)])
    held = scores[len(accepted) :]

    assert known.n == len(accepted)
    assert known.mean == pytest.approx(accepted.mean())
    assert known.squared_deviations == pytest.approx(((accepted - accepted.mean()) ** 2).sum())
    assert known.last == accepted[-1]
    assert known.quarantine == tuple((score, score) for score in held)
    assert known.maxima == pytest.approx(np.sort(accepted)[::-1][:24], rel=1e-4)
    assert known.observed_ns == known.accepted_ns == n * 1_000_000_000


def test_a_minute_is_summarised_as_observed() -> None:
    scores = gaussian(90)
    known = warm_up_of(apply_scores(RULE.begin(), scores, RULE)[0])

    assert known.blocks == (pytest.approx((np.mean(scores[:60]), max(scores[:60])), rel=1e-4),)
    assert (known.block_scores, known.block_sum) == (30, pytest.approx(sum(scores[60:])))
    assert known.block_peak == max(scores[60:])


def test_correlated_scores_raise_the_threshold() -> None:
    path = np.zeros(92)
    for at, step in enumerate(gaussian(91), 1):
        path[at] = 0.9 * path[at - 1] + step
    shuffled = np.random.default_rng(2).permutation(path)
    alike, single = (apply_scores(RULE.begin(), [*scores, *[0.0] * QUARANTINE], RULE)[0] for scores in (path, shuffled))

    assert warm_up_of(alike).maxima == warm_up_of(single).maxima
    assert warm_up_of(alike).autocorrelation_time > 4.0
    assert warm_up_of(single).autocorrelation_time < 1.5
    assert alike.limits.peak > 1.3 * single.limits.peak


def test_an_unconfirmed_score_enters_clipped_at_the_threshold() -> None:
    rule = BlockRule(budget_plan(1.0), min_confirmations=2, window_count=3)
    state, _ = apply_scores(rule.begin(), gaussian(200), rule)
    threshold = state.limits.location + state.limits.peak
    after, (decision,) = apply_scores(state, [1_000.0], rule)

    assert decision.alert == "none"
    assert warm_up_of(after).quarantine[-1][0] == threshold
    assert warm_up_of(after).block_sum == pytest.approx(warm_up_of(state).block_sum + threshold)


def test_limits_are_refreshed_as_soon_as_a_larger_score_enters() -> None:
    state, _ = apply_scores(RULE.begin(), gaussian(425), RULE)
    high = state.limits.location + 0.9 * state.limits.peak
    state, _ = apply_scores(state, [0.0] * 19, RULE)
    before = state.limits
    state, _ = apply_scores(state, [high, *[0.0] * (QUARANTINE - 1)], RULE)
    assert state.limits is before

    state, _ = apply_scores(state, [0.0], RULE)
    assert state.limits.peak > before.peak
    again, _ = apply_scores(state, [0.0] * 10, RULE)
    assert again.limits is state.limits
    assert limits_are_due(warm_up_of(again)._replace(n=120), warm_up_of(again))


def test_nothing_enters_during_an_alert_or_its_guard_time() -> None:
    state, _ = apply_scores(RULE.begin(), gaussian(200), RULE)
    state, decisions = apply_scores(state, [50.0, *[0.0] * 16], RULE)
    assert [decisions[0].alert, decisions[-1].alert] == ["opens", "none"]
    n, guard = warm_up_of(state).n, 216 // 4
    state, _ = apply_scores(state, [0.0] * (guard - 2), RULE)
    assert warm_up_of(state).n == n

    state, _ = apply_scores(state, [0.0] * (QUARANTINE + 2), RULE)
    assert warm_up_of(state).n > n


@pytest.mark.parametrize(("degrees", "exact"), [(3.0, 9.219), (10.0, 3.957), (30.0, 3.270)])
def test_students_quantile_is_near_the_exact_one(degrees: float, exact: float) -> None:
    """P = 0.99865, that of three standard deviations."""
    assert student_quantile(degrees, 3.0) == pytest.approx(exact, rel=0.2)


def test_students_quantile_of_many_is_the_normal_one() -> None:
    assert student_quantile(1e6, 3.0) == pytest.approx(3.0, rel=1e-4)


def test_sound_that_changes_for_seconds_within_the_first_minutes_raises_no_alarm() -> None:
    """Scores with a spread of 0.2, then three times as far for seconds, as healthy synthetic machines have."""
    early = [5.0 + 0.2 * score for score in gaussian(24)]
    _, decisions = apply_scores(RULE.begin(), [*early, *[5.6] * 4], RULE)

    assert {decision.alert for decision in decisions} == {"none"}


def test_a_fault_after_half_a_minute_is_found() -> None:
    early = [5.0 + 0.2 * score for score in gaussian(36)]
    _, decisions = apply_scores(RULE.begin(), [*early, *[8.0] * 3], RULE)

    assert decisions[36].alert == "opens"
