"""The threshold rule."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.threshold import MeanAndSpread, RuleState
from schemas.manifest import Calibration

RELATIVE = Calibration(transfer="relative", threshold=5.0, spread=0.1, n=9, quantiles={})
ABSOLUTE = Calibration(transfer="absolute", threshold=5.0, spread=1.0, n=9, quantiles={})
RULE = MeanAndSpread()


def learned(scores: np.ndarray, calibration: Calibration, rule: MeanAndSpread = RULE) -> RuleState:
    state = RuleState()
    for score in scores:
        state = rule.learn(state, calibration, float(score), alerting=False)
    return state


def test_a_relative_score_has_no_threshold_until_the_device_is_known() -> None:
    limit = RULE.limit(learned(np.full(RULE.warm_up - 1, 3.0), RELATIVE), RELATIVE)

    assert (limit.threshold, limit.state) == (None, "learning")
    assert RULE.limit(learned(np.full(RULE.warm_up, 3.0), RELATIVE), RELATIVE).state == "ready"


def test_an_absolute_score_has_its_threshold_at_once() -> None:
    limit = RULE.limit(RuleState(), ABSOLUTE)

    assert (limit.threshold, limit.state) == (5.0, "learning")


def test_mean_and_spread_are_those_of_the_scores() -> None:
    scores = np.random.default_rng(1).normal(10.0, 2.0, 800)

    state = learned(scores, RELATIVE, MeanAndSpread(k=50.0, quarantine=0))

    assert state.mean == pytest.approx(scores.mean(), abs=1e-9)
    assert state.variance == pytest.approx(scores.var(), rel=1e-6)


def test_the_threshold_follows_the_device_not_the_model() -> None:
    rng = np.random.default_rng(2)
    quiet, loud = (learned(rng.normal(mean, 0.2, 500), RELATIVE) for mean in (-20.0, 40.0))

    assert RULE.limit(quiet, RELATIVE).threshold == pytest.approx(-20.0 + 6 * 0.2, abs=0.3)
    assert RULE.limit(loud, RELATIVE).threshold == pytest.approx(40.0 + 6 * 0.2, abs=0.3)


def test_a_single_event_moves_the_threshold_little() -> None:
    at_once = MeanAndSpread(quarantine=0)
    state = learned(np.random.default_rng(3).normal(0.0, 0.2, 900), RELATIVE, at_once)
    before = RULE.limit(state, RELATIVE).threshold

    after = RULE.limit(at_once.learn(state, RELATIVE, 1e6, alerting=False), RELATIVE).threshold

    assert before is not None
    assert after is not None
    assert before < after < before * 1.05


def test_steady_scores_keep_the_models_spread() -> None:
    limit = RULE.limit(learned(np.full(1_000, 1.0), RELATIVE), RELATIVE)

    assert limit.threshold is not None
    assert limit.threshold >= 1.0 + RULE.k * RELATIVE.spread


def test_a_noisy_room_raises_an_absolute_threshold_but_not_out_of_reach() -> None:
    rng = np.random.default_rng(4)
    noisy = RULE.limit(learned(rng.normal(4.0, 0.7, 900), ABSOLUTE), ABSOLUTE).threshold
    absurd = RULE.limit(learned(rng.normal(50.0, 9.0, 900), ABSOLUTE), ABSOLUTE).threshold
    quiet = RULE.limit(learned(rng.normal(-9.0, 0.5, 900), ABSOLUTE), ABSOLUTE).threshold

    assert quiet == 5.0
    assert noisy is not None
    assert 5.0 < noisy < 7.0
    assert absurd == ABSOLUTE.threshold + RULE.head_room * ABSOLUTE.spread


def test_a_score_waits_before_it_is_learned_from() -> None:
    state = learned(np.zeros(RULE.warm_up), RELATIVE)

    for number in range(RULE.quarantine):
        state = RULE.learn(state, RELATIVE, 9.0, alerting=False)
        assert (state.n, state.mean, len(state.waiting)) == (RULE.warm_up, 0.0, number + 1)
    assert RULE.learn(state, RELATIVE, 9.0, alerting=False).mean > 0.0


def test_what_waited_when_an_alert_opened_is_never_learned() -> None:
    state = learned(np.zeros(RULE.warm_up), RELATIVE)
    for _ in range(5):
        state = RULE.learn(state, RELATIVE, 9.0, alerting=False)

    state = RULE.learn(state, RELATIVE, 9.0, alerting=True)
    for _ in range(20):
        state = RULE.learn(state, RELATIVE, 0.0, alerting=False)

    assert (state.mean, state.variance) == (0.0, 0.0)


def test_a_fault_that_grows_over_seconds_does_not_push_the_threshold_ahead_of_itself() -> None:
    rng = np.random.default_rng(5)
    state = learned(rng.normal(0.0, 0.05, 12), RELATIVE)
    exceeded = []

    for score in np.linspace(0.0, 3.0, 6):
        threshold = RULE.limit(state, RELATIVE).threshold
        assert threshold is not None
        exceeded.append(score > threshold)
        state = RULE.learn(state, RELATIVE, float(score), alerting=False)

    assert sum(exceeded) >= 3
