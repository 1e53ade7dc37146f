"""Thresholds of a device's own model: a prior at first, the device's own past later, and sums across blocks."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState, dump, load
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.limits import Prior, prior_of
from processors.core.threshold.own_limits import LEVEL_SPREADS, PRIOR_BLOCKS, own_level, own_peak
from processors.core.threshold.tail_extrapolation import excess_quantile
from schemas.manifest import Calibration

from .scored_windows import decision_context
from .scores import apply_scores, gaussian, opened

OWN = Calibration(transfer="own", threshold=6.0, spread=1.0, n=9, quantiles={})
RULE = BlockRule(budget_plan(1.0), prior_of(OWN))
HOUR = 3_600


@pytest.fixture(scope="module")
def quiet() -> BlockState:
    """Three hours of scores with a deviation of 0.6."""
    return apply_scores(RULE.begin(), [0.6 * score for score in gaussian(3 * HOUR)], RULE)[0]


def threshold_of(state: BlockState) -> float:
    return state.limits.location + state.limits.peak


def test_the_models_threshold_is_there_at_once_and_hours_of_quiet_lower_it(quiet: BlockState) -> None:
    state, decisions = apply_scores(RULE.begin(), [0.6 * score for score in gaussian(HOUR)], RULE)

    assert decisions[0].threshold == OWN.threshold
    assert threshold_of(quiet) < threshold_of(state) - 0.3
    assert threshold_of(quiet) > 0.6 * 4.0


def test_in_the_first_hour_it_is_raised_by_six_spreads_at_most() -> None:
    noisy = [4.5 * score for score in gaussian(HOUR - 60)]
    state, _ = apply_scores(RULE.begin(), noisy, RULE)

    assert state.warm_up is not None
    assert threshold_of(state) == pytest.approx(OWN.threshold + 6.0 * OWN.spread)


def test_after_an_hour_it_follows_a_loud_device_as_far_as_the_budget_asks() -> None:
    loud = [3.0 * score for score in gaussian(12 * HOUR)]
    state, decisions = apply_scores(RULE.begin(), loud, RULE)

    assert threshold_of(state) > OWN.threshold + 6.0 * OWN.spread
    assert not [at for at in opened(decisions) if at > 2 * HOUR]


@pytest.mark.parametrize("begin_s", [0, 20, 40])
def test_a_minute_below_the_threshold_counts_wherever_blocks_are_cut(quiet: BlockState, begin_s: int) -> None:
    normal = [0.6 * score for score in gaussian(300, 2)]
    state, _ = apply_scores(quiet, normal[:begin_s], RULE)
    shift = 0.8 * quiet.limits.peak
    _, decisions = apply_scores(state, [shift + 0.1 * score for score in normal[100:160]], RULE)

    assert max(decision.confirmed for decision in decisions) < threshold_of(quiet)
    assert [decisions[at].kind for at in opened(decisions)] == ["level"]
    assert opened(decisions)[0] <= 45


def test_a_few_seconds_below_the_threshold_do_not_count(quiet: BlockState) -> None:
    event = [0.9 * quiet.limits.peak] * 8
    _, decisions = apply_scores(quiet, [*event, *(0.6 * score for score in gaussian(300, 2))], RULE)

    assert opened(decisions) == []


def test_the_sum_begins_anew_after_an_episode(quiet: BlockState) -> None:
    fault = [0.8 * quiet.limits.peak] * 120
    normal = [0.6 * score for score in gaussian(240, 2)]
    state, decisions = apply_scores(quiet, [*fault, *normal], RULE)

    assert len(opened(decisions)) == 1
    assert state.episodes.current is None


def test_the_prior_counts_as_an_hour() -> None:
    peaks = tuple(3.0 - 0.05 * i for i in range(25))
    rate = 1e-3

    device = own_peak(peaks, 10**6, rate, 6.0)
    assert own_peak(peaks, PRIOR_BLOCKS, rate, 1e9) == pytest.approx(5e8, rel=1e-3)
    assert device == pytest.approx(peaks[-1], rel=1e-3)
    assert own_level(peaks, PRIOR_BLOCKS, rate, 1e9) == pytest.approx(0.5 * LEVEL_SPREADS * 1e9, rel=1e-3)


def test_a_prior_that_the_device_refutes_is_not_used() -> None:
    peaks = tuple(9.0 - 0.05 * i for i in range(25))

    assert own_peak(peaks, 60, 1e-4, 6.0) == own_peak(peaks, 60, 1e-4, -3.0) > 9.0


@pytest.mark.parametrize("shape", [0.0, 0.2])
def test_an_excess_quantile_moves_with_the_scores(shape: float) -> None:
    maxima = tuple(np.sort(np.random.default_rng(3).exponential(size=600))[:-26:-1].tolist())
    moved = tuple(value + 50.0 for value in maxima)

    assert excess_quantile(moved, 600, 8.0, shape) == pytest.approx(excess_quantile(maxima, 600, 8.0, shape) + 50.0)


def test_an_excess_quantile_of_an_exponential_tail_is_about_right() -> None:
    rng = np.random.default_rng(4)
    found = [
        excess_quantile(tuple(np.sort(rng.exponential(size=600))[:-26:-1].tolist()), 600, 8.0, 0.0) for _ in range(200)
    ]

    # One standard error above the value that one in 4,800 exceeds.
    assert math.log(4_800) < np.mean(found) < 1.2 * math.log(4_800)


def test_too_few_maxima_are_not_extrapolated() -> None:
    assert excess_quantile((3.0,), 5, 8.0, 0.2) == 3.0


def test_a_state_of_an_earlier_version_is_read_and_continued(quiet: BlockState) -> None:
    stored = json.loads(dump(quiet))
    block = stored[1]
    assert block.pop() == quiet.block.carried
    state = load(json.dumps(stored))

    assert state.block.carried == 0.0
    after, _ = apply_scores(state, [0.6 * score for score in gaussian(HOUR, 5)], RULE)
    assert quiet.reference is not None
    assert after.reference is not None
    assert after.reference.blocks == quiet.reference.blocks + 60


def test_a_prior_stored_by_an_earlier_version_is_completed() -> None:
    context = replace(decision_context("own"), calibration=OWN)

    stored = Prior(min_threshold=6.0, max_threshold=12.0)
    assert context.rule(stored) == context.rule(prior_of(OWN))
    assert context.rule(stored).prior.follows_device
