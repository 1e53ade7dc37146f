"""A device's first hour: what is known of its scores, and when its thresholds are found anew."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.warm_up import WarmUp, limits_are_due

from .scores import hear, normal

RULE = BlockRule(budget_plan(1.0))
HELD = 8


def early(state: BlockState) -> WarmUp:
    assert state.warm_up is not None
    return state.warm_up


@pytest.mark.parametrize("n", [1, 7, 8, 9, 30, 500])
def test_all_scores_but_the_latest_eight_are_learned(n: int) -> None:
    scores = normal(n)
    known = early(hear(RULE.begin(), scores, RULE)[0])
    learned = np.array(scores[: max(min(n, HELD), n - HELD)])
    held = scores[len(learned) :]

    assert known.n == len(learned)
    assert known.mean == pytest.approx(learned.mean())
    assert known.squared_deviations == pytest.approx(((learned - learned.mean()) ** 2).sum())
    assert known.last == learned[-1]
    assert known.quarantine == tuple((score, score) for score in held)
    assert known.maxima == pytest.approx(np.sort(learned)[::-1][:24], rel=1e-4)
    assert known.observed_ns == known.accepted_ns == n * 1_000_000_000


def test_a_minute_is_summed_up_as_it_was_heard() -> None:
    scores = normal(90)
    known = early(hear(RULE.begin(), scores, RULE)[0])

    assert known.blocks == (pytest.approx((np.mean(scores[:60]), max(scores[:60])), rel=1e-4),)
    assert (known.block_scores, known.block_sum) == (30, pytest.approx(sum(scores[60:])))
    assert known.block_peak == max(scores[60:])


def test_neighbours_that_are_alike_say_less_and_the_threshold_stands_further_off() -> None:
    path = np.zeros(92)
    for at, step in enumerate(normal(91), 1):
        path[at] = 0.9 * path[at - 1] + step
    shuffled = np.random.default_rng(2).permutation(path)
    alike, single = (hear(RULE.begin(), [*scores, *[0.0] * HELD], RULE)[0] for scores in (path, shuffled))

    assert early(alike).maxima == early(single).maxima
    assert early(alike).autocorrelation_time > 4.0
    assert early(single).autocorrelation_time < 1.5
    assert alike.limits.peak > 1.3 * single.limits.peak


def test_a_score_that_is_not_confirmed_is_learned_cut_at_the_threshold() -> None:
    rule = BlockRule(budget_plan(1.0), min_confirmations=2, window_count=3)
    state, _ = hear(rule.begin(), normal(200), rule)
    threshold = state.limits.location + state.limits.peak
    after, (decision,) = hear(state, [1_000.0], rule)

    assert decision.alert == "none"
    assert early(after).quarantine[-1][0] == threshold
    assert early(after).block_sum == pytest.approx(early(state).block_sum + threshold)


def test_thresholds_are_found_anew_as_soon_as_a_larger_score_is_learned() -> None:
    state, _ = hear(RULE.begin(), normal(425), RULE)
    high = state.limits.location + 0.9 * state.limits.peak
    state, _ = hear(state, [0.0] * 19, RULE)
    before = state.limits
    state, _ = hear(state, [high, *[0.0] * (HELD - 1)], RULE)
    assert state.limits is before

    state, _ = hear(state, [0.0], RULE)
    assert state.limits.peak > before.peak
    again, _ = hear(state, [0.0] * 10, RULE)
    assert again.limits is state.limits
    assert limits_are_due(early(again)._replace(n=120), early(again))


def test_nothing_is_learned_in_an_alert_or_for_a_quarter_as_long_as_was_heard_after_it() -> None:
    state, _ = hear(RULE.begin(), normal(200), RULE)
    state, decisions = hear(state, [50.0, *[0.0] * 16], RULE)
    assert [decisions[0].alert, decisions[-1].alert] == ["opens", "none"]
    n, guard = early(state).n, 216 // 4
    state, _ = hear(state, [0.0] * (guard - 2), RULE)
    assert early(state).n == n

    state, _ = hear(state, [0.0] * (HELD + 2), RULE)
    assert early(state).n > n
