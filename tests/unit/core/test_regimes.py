"""Regimes: the hour or the producer's report says against which of its sounds a device is judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.decision_step import DecisionContext
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.replay import replay_scores
from processors.stream.decision_contexts import DecisionContexts
from schemas.policy import Policy
from schemas.score import Score

from .judging import judge, window

RNG = np.random.default_rng(8)
TAGGED = replace(judge(), use_reported_regime=True)


def windows(*stretches: tuple[str, int, float]) -> list[ScoredWindow]:
    """Windows a second apart: (reported, how many, where their scores lie)."""
    tagged = [(reported, level) for reported, n, level in stretches for _ in range(n)]
    return [window(i, float(RNG.normal(level, 0.2)), regime=reported) for i, (reported, level) in enumerate(tagged)]


def hear(
    heard: list[ScoredWindow], by: DecisionContext, state: DetectorState | None = None
) -> tuple[DetectorState, list[Output]]:
    return decide(state or DetectorState(), lambda _: by, heard)


def opened(outputs: list[Output]) -> int:
    return sum(output.alert is not None and output.alert.state == "opened" for output in outputs)


SHIFTS = windows(*[("slow", 400, 0.0), ("fast", 400, 9.0)] * 3)


def test_each_tag_has_its_own_sound_where_the_policy_says_so() -> None:
    _, together = hear(SHIFTS, judge())
    _, apart = hear(SHIFTS, TAGGED)

    assert opened(together) >= 1
    assert opened(apart) == 0
    assert [output.score.reported_regime for output in together[399:401]] == ["slow", "fast"]
    assert {output.score.regime for output in together} == {""}
    assert [output.score.regime for output in apart[399:401]] == ["slow", "fast"]


def test_a_fault_in_one_regime_is_the_normal_sound_of_another() -> None:
    state, _ = hear(SHIFTS, TAGGED)
    _, usual = hear(late("fast", 30, 9.0), TAGGED, state)
    _, outputs = hear(late("slow", 30, 9.0), TAGGED, state)
    assert (opened(usual), opened(outputs)) == (0, 1)


def late(reported: str, n: int, level: float) -> list[ScoredWindow]:
    return [window(len(SHIFTS) + i, level, regime=reported) for i in range(n)]


def test_sound_without_a_tag_goes_on_in_the_regime_heard_last() -> None:
    state, _ = hear(windows(("slow", 60, 0.0)), TAGGED)
    after, outputs = hear(late("", 5, 9.0), TAGGED, state)
    assert {output.score.regime for output in outputs} == {"slow"}
    assert {output.score.reported_regime for output in outputs} == {""}
    assert after.learned is not None
    assert after.learned.rule.regime == "slow"


def test_what_was_learned_before_there_were_regimes_makes_room_for_them() -> None:
    untagged = windows(("", 200, 0.0))
    state, _ = hear(untagged, TAGGED)
    heard = [window(len(untagged) + i, float(i // 50), regime=("a", "b", "c")[i // 50]) for i in range(150)]
    _, outputs = hear(heard, TAGGED, state)
    # Two fit; a third is judged in the one heard last.
    assert [output.score.regime for output in outputs[::50]] == ["a", "b", "b"]


def test_hours_that_no_policy_names_any_more_make_room() -> None:
    by_hours = replace(judge(), hours=(0, 12))
    day = 86_400
    heard = [window(i * 600, 0.0) for i in range(day // 600)]
    state, outputs = hear(heard, by_hours)
    assert {output.score.regime for output in outputs} == {"00h", "12h"}
    later = [window(2 * day + i, 0.0, regime="ab"[i % 2]) for i in range(4)]
    _, outputs = hear(later, TAGGED, state)
    assert [output.score.regime for output in outputs] == ["a", "b", "a", "b"]
    _, outputs = hear([window(2 * day + i * 3_600, 0.0) for i in range(24)], replace(judge(), hours=(6, 18)), state)
    assert {output.score.regime for output in outputs} == {"06h", "18h"}


def test_scores_alone_lead_to_the_same_regimes() -> None:
    state, outputs = hear(SHIFTS, TAGGED)
    stored = [Score.from_record(output.score.to_record()) for output in outputs]
    *_, (again, last) = replay_scores(TAGGED, stored)
    assert again.learned == state.learned
    assert last.score == outputs[-1].score


def test_a_policy_on_tags_reaches_the_judge() -> None:
    class Promised:
        def policy(self, device_id: str, kind: str, detector: str) -> Policy | None:  # noqa: ARG002
            if device_id != "d1":
                return None
            return Policy(detector=detector, scope="all", false_alarms_per_week=2.0, use_reported_regime=True, set_ns=0)

    judges = DecisionContexts(Promised(), lambda _: "machine", "tocsin.audio.v1")
    tagged, plain = judges.of(window(0, 0.0).window), judges.of(window(0, 0.0, device="d2").window)
    assert (tagged.use_reported_regime, tagged.plan.per_week) == (True, 2.0)
    assert (plain.use_reported_regime, plain.plan.per_week) == (False, 1.0)
