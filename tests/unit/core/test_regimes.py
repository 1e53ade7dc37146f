"""Regimes: the hour or the producer's report selects the reference a device is compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from processors.adapters.models.detectors import load_detectors
from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.replay import replay_scores
from processors.stream.decision_contexts import DecisionContexts
from schemas.policy import Policy
from schemas.score import Score

from .scored_windows import decision_context, window

RNG = np.random.default_rng(8)
BY_REPORT = replace(decision_context(), use_reported_regime=True)


def windows(*runs: tuple[str, int, float]) -> list[ScoredWindow]:
    """Windows a second apart: (reported regime, number, location of their scores)."""
    reported_levels = [(reported, level) for reported, n, level in runs for _ in range(n)]
    return [
        window(i, float(RNG.normal(level, 0.2)), regime=reported) for i, (reported, level) in enumerate(reported_levels)
    ]


def decide_all(
    scored: list[ScoredWindow], context: DecisionContext, state: DetectorState | None = None
) -> tuple[DetectorState, list[Output]]:
    return decide(state or DetectorState(), lambda _: context, scored)


def opened(outputs: list[Output]) -> int:
    return sum(output.alert is not None and output.alert.state == "opened" for output in outputs)


SHIFTS = windows(*[("slow", 400, 0.0), ("fast", 400, 9.0)] * 3)


def test_each_reported_regime_has_its_own_reference_where_the_policy_says_so() -> None:
    _, together = decide_all(SHIFTS, decision_context())
    _, apart = decide_all(SHIFTS, BY_REPORT)

    assert opened(together) >= 1
    assert opened(apart) == 0
    assert [output.score.reported_regime for output in together[399:401]] == ["slow", "fast"]
    assert {output.score.regime for output in together} == {""}
    assert [output.score.regime for output in apart[399:401]] == ["slow", "fast"]


def test_a_fault_in_one_regime_is_the_normal_sound_of_another() -> None:
    state, _ = decide_all(SHIFTS, BY_REPORT)
    _, usual = decide_all(late("fast", 30, 9.0), BY_REPORT, state)
    _, outputs = decide_all(late("slow", 30, 9.0), BY_REPORT, state)
    assert (opened(usual), opened(outputs)) == (0, 1)


def late(reported: str, n: int, level: float) -> list[ScoredWindow]:
    return [window(len(SHIFTS) + i, level, regime=reported) for i in range(n)]


def test_audio_without_a_reported_regime_stays_in_the_current_one() -> None:
    state, _ = decide_all(windows(("slow", 60, 0.0)), BY_REPORT)
    after, outputs = decide_all(late("", 5, 9.0), BY_REPORT, state)
    assert {output.score.regime for output in outputs} == {"slow"}
    assert {output.score.reported_regime for output in outputs} == {""}
    assert after.current_model is not None
    assert after.current_model.block_state.regime == "slow"


def test_thresholds_from_before_the_policy_make_room_for_regimes() -> None:
    untagged = windows(("", 200, 0.0))
    state, _ = decide_all(untagged, BY_REPORT)
    observed = [window(len(untagged) + i, float(i // 50), regime=("a", "b", "c")[i // 50]) for i in range(150)]
    _, outputs = decide_all(observed, BY_REPORT, state)
    # Two fit; the windows of a third are compared with the reference of the last one.
    assert [output.score.regime for output in outputs[::50]] == ["a", "b", "b"]


def test_hours_of_an_earlier_policy_make_room() -> None:
    by_hours = replace(decision_context(), hours=(0, 12))
    day = 86_400
    observed = [window(i * 600, 0.0) for i in range(day // 600)]
    state, outputs = decide_all(observed, by_hours)
    assert {output.score.regime for output in outputs} == {"00h", "12h"}
    later = [window(2 * day + i, 0.0, regime="ab"[i % 2]) for i in range(4)]
    _, outputs = decide_all(later, BY_REPORT, state)
    assert [output.score.regime for output in outputs] == ["a", "b", "a", "b"]
    _, outputs = decide_all(
        [window(2 * day + i * 3_600, 0.0) for i in range(24)], replace(decision_context(), hours=(6, 18)), state
    )
    assert {output.score.regime for output in outputs} == {"06h", "18h"}


def test_a_replay_of_scores_gives_the_same_regimes() -> None:
    state, outputs = decide_all(SHIFTS, BY_REPORT)
    stored = [Score.from_record(output.score.to_record()) for output in outputs]
    *_, (again, last) = replay_scores(BY_REPORT, stored)
    assert again.current_model == state.current_model
    assert last.score == outputs[-1].score


def test_a_policy_on_reported_regimes_reaches_the_decision_context() -> None:
    class FixedPolicies:
        def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:  # noqa: ARG002
            if device_id != "d1":
                return None
            return Policy(detector=detector, scope="all", false_alarms_per_week=2.0, use_reported_regime=True, set_ns=0)

    contexts = DecisionContexts(FixedPolicies(), lambda _: "machine", "tocsin.audio.v1", load_detectors())
    reported_levels, plain = contexts.of(window(0, 0.0).window), contexts.of(window(0, 0.0, device="d2").window)
    assert (reported_levels.use_reported_regime, reported_levels.plan.false_alarms_per_week) == (True, 2.0)
    assert (plain.use_reported_regime, plain.plan.false_alarms_per_week) == (False, 1.0)
