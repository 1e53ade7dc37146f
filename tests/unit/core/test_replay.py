"""Replayed scores lead to the decisions of the stream; feedback and budgets have their effect."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.alerting.replay import follow, replay_scores
from processors.core.windowing.window import Window
from schemas.score import Score

from .scored_windows import context_of, decision_context, window

RNG = np.random.default_rng(3)
SCORES = [*RNG.normal(0.0, 0.2, 300), *[9.0] * 30, *RNG.normal(0.0, 0.2, 60)]
WINDOWS = [window(index, float(score)) for index, score in enumerate(SCORES)]


def test_replayed_scores_give_the_state_and_the_alerts_of_the_stream() -> None:
    state, outputs = decide(DetectorState(), context_of, WINDOWS)
    stored = [Score.from_record(output.score.to_record()) for output in outputs]

    *_, (again, _) = replayed = list(replay_scores(decision_context(), stored))

    assert again.current_model == state.current_model
    assert again.lifecycle == state.lifecycle
    assert again.position == state.position
    kept = {"bands", "audio"}
    assert [o.alert.model_dump(exclude=kept) for _, o in replayed if o.alert is not None] == [
        o.alert.model_dump(exclude=kept) for o in outputs if o.alert is not None
    ]
    assert any(o.alert is not None for o in outputs)


LONG = [window(index, float(score)) for index, score in enumerate(RNG.normal(0.0, 0.2, 4_400))]
LOUD = [window(index, 9.0 + 0.2 * float(RNG.normal())) for index in range(4_400)]


def test_feedback_takes_effect_again_where_it_did_in_the_stream() -> None:
    stream = [*LONG[:3_700], *LOUD[3_700:3_900], *LONG[3_900:4_200], *LOUD[4_200:4_300], *LONG[4_300:4_400]]
    state, outputs, said = _decided_with_feedback(
        stream, {3_800: "false-alarm", 3_850: "normal", 4_100: "undo", 4_290: "real", 4_350: "false-alarm"}
    )
    stored = [Score.from_record(output.score.to_record()) for output in outputs]

    *_, (again, _) = replay_scores(decision_context(), stored, said)

    assert [feedback.action for feedback in said] == ["false-alarm", "normal", "undo", "real", "false-alarm"]
    assert (again.current_model, again.lifecycle, again.last_feedback_offset) == (
        state.current_model,
        state.lifecycle,
        14,
    )
    # Both the feedback and its position matter: neither none of it nor all of it at once gives that state.
    for otherwise in ((), said[:1], [*said[:1], *said[2:]]):
        *_, (other, _) = replay_scores(decision_context(), stored, otherwise)
        assert other.current_model != state.current_model


def test_feedback_that_no_score_knows_yet_is_left_for_the_next_window() -> None:
    _, outputs = decide(DetectorState(), context_of, WINDOWS[:320])
    (alert_id,) = {o.alert.alert_id for o in outputs if o.alert is not None}
    said = [OperatorFeedback(4, "false-alarm", alert_id)]

    *_, (again, _) = replay_scores(decision_context(), [output.score for output in outputs], said)
    after, _ = decide(again, context_of, WINDOWS[320:321], feedback=said)

    assert again.last_feedback_offset == -1
    assert after.last_feedback_offset == 4
    assert after.current_model is not None
    assert after.current_model.block_state.episodes.current is not None
    assert after.current_model.block_state.episodes.current.judgement == "false-alarm"


@pytest.mark.parametrize("first", [3_760, 4_250])
def test_feedback_about_what_is_older_than_the_scores_touches_nothing_else(first: int) -> None:
    stream = [*LONG[:3_700], *LOUD[3_700:3_900], *LONG[3_900:4_200], *LOUD[4_200:4_300], *LONG[4_300:4_400]]
    _, outputs, said = _decided_with_feedback(stream, {3_750: "normal", 3_800: "undo", 4_320: "false-alarm"})
    scores = [output.score for output in outputs if output.score.first_sample >= first * 16_000]
    old = {o.alert.alert_id for o in outputs[:first] if o.alert is not None}
    about_the_old = [*said[:-1], OperatorFeedback(12, "real", old.pop())]

    *_, (again, _) = replay_scores(decision_context(), scores, about_the_old)
    *_, (silent, _) = replay_scores(decision_context(), scores)

    assert again.last_feedback_offset == 12
    assert (again.current_model, again.lifecycle) == (silent.current_model, silent.lifecycle)


def test_scores_that_do_not_say_what_they_knew_leave_feedback_to_the_first_that_does() -> None:
    _, outputs = decide(DetectorState(), context_of, WINDOWS[:330], feedback=[OperatorFeedback(0, "normal")])
    scores = [output.score for output in outputs]
    whys = [score.explanation for score in scores]
    old = [score.model_copy(update={"explanation": why and why.model_copy(update={"last_feedback_offset": None})})
           for score, why in zip(scores, whys, strict=True)]  # fmt: skip

    states = [
        state.last_feedback_offset
        for state, _ in replay_scores(decision_context(), [*old[:325], *scores[325:]], [OperatorFeedback(0, "normal")])
    ]

    assert states == [-1] * 325 + [0] * 5


def _decided_with_feedback(
    stream: list[ScoredWindow], words: dict[int, str]
) -> tuple[DetectorState, list[Output], list[OperatorFeedback]]:
    """A stream with feedback before the given windows; judgements are of the latest alert. Offsets from 10 on."""
    state, at = DetectorState(), 0
    outputs: list[Output] = []
    said: list[OperatorFeedback] = []
    for index in (*words, len(stream)):
        state, some = decide(state, context_of, stream[at:index], feedback=said)
        outputs, at = [*outputs, *some], index
        if index in words:
            ids = [o.alert.alert_id for o in outputs if o.alert is not None]
            word = words[index]
            said = [*said, OperatorFeedback(10 + len(said), word, ids[-1] if word in ("real", "false-alarm") else "")]
    return state, outputs, said


def test_scores_of_another_model_are_skipped() -> None:
    _, outputs = decide(DetectorState(), context_of, WINDOWS[:20])
    strange = [o.score.model_copy(update={"model": o.score.model.model_copy(update={"sha256": "x"})}) for o in outputs]

    assert list(replay_scores(decision_context(), strange)) == []


def test_scores_carry_their_explanation() -> None:
    _, outputs = decide(DetectorState(), context_of, WINDOWS)
    explanations = [output.score.explanation for output in outputs]

    assert all(explanation is not None and explanation.false_alarms_per_week == 1.0 for explanation in explanations)
    quiet, loud = explanations[299], explanations[315]
    assert quiet is not None
    assert loud is not None
    assert quiet.kind == ""
    assert quiet.episode == 0
    assert loud.kind in ("peak", "level")
    assert loud.episode == 1
    assert loud.p_value < quiet.p_value
    assert 0.0 < loud.calibration_progress < 0.01


@pytest.mark.parametrize(("action", "judgement"), [("false-alarm", "false-alarm"), ("real", "real")])
def test_feedback_reaches_the_episode_of_its_alert_once(action: str, judgement: str) -> None:
    state, outputs = decide(DetectorState(), context_of, WINDOWS[:320])
    (alert_id,) = {o.alert.alert_id for o in outputs if o.alert is not None}

    after, _ = decide(
        state,
        context_of,
        WINDOWS[320:321],
        feedback=[OperatorFeedback(5, action, alert_id), OperatorFeedback(6, action, "other")],
    )
    again, _ = decide(after, context_of, WINDOWS[321:322], feedback=[OperatorFeedback(5, "real", alert_id)])

    for one in (after, again):
        assert one.last_feedback_offset == 6
        assert one.current_model is not None
        assert one.current_model.block_state.episodes.current is not None
        assert one.current_model.block_state.episodes.current.judgement == judgement


def test_this_is_normal_ends_an_episode_and_moves_the_location() -> None:
    ages = [window(index, float(score)) for index, score in enumerate(RNG.normal(0.0, 0.2, 3_700))]
    state, _ = decide(DetectorState(), context_of, ages)
    loud = [window(3_700 + index, 9.0 + 0.2 * float(RNG.normal())) for index in range(200)]
    state, _ = decide(state, context_of, loud)
    assert state.lifecycle.alert is not None

    after = [window(3_900 + index, 9.0 + 0.2 * float(RNG.normal())) for index in range(120)]
    state, outputs = decide(state, context_of, after, feedback=[OperatorFeedback(0, "normal")])

    assert [o.alert.state for o in outputs if o.alert is not None][-1:] == ["closed"]
    assert state.lifecycle.alert is None
    assert not outputs[-1].score.exceeds


def test_a_new_budget_moves_the_threshold_at_once() -> None:
    quiet = [window(index, float(score)) for index, score in enumerate(RNG.normal(0.0, 2.0, 9_000))]
    state, _ = decide(DetectorState(), context_of, quiet)

    limits = [
        decide(state, lambda _, n=rate: decision_context(per_week=n), [window(9_000, 0.0)])[1][0].score.threshold  # type: ignore[misc]
        for rate in (0.25, 1.0, 28.0)
    ]

    assert None not in limits
    assert limits == sorted(limits, reverse=True)  # type: ignore[type-var]
    assert limits[0] > limits[-1]  # type: ignore[operator]


def test_a_devices_own_model_has_its_threshold_from_the_first_window_and_may_raise_it() -> None:
    def own(_: Window) -> DecisionContext:
        return decision_context("own")

    _, outputs = decide(DetectorState(), own, [window(index, score) for index, score in enumerate([9.0] * 4)])
    loud = [window(index, float(score)) for index, score in enumerate(RNG.normal(0.0, 4.0, 600))]
    _, later = decide(DetectorState(), own, loud)

    assert [output.score.threshold for output in outputs[:2]] == [5.0, 5.0]
    assert [output.alert.state for output in outputs if output.alert is not None][:1] == ["opened"]
    assert later[-1].score.threshold == 5.0 + 6 * 0.5


def test_the_alert_follows_what_the_scores_record_where_a_repeated_decision_differs() -> None:
    state, outputs = decide(DetectorState(), context_of, WINDOWS)
    stored = [Score.from_record(output.logged().to_record()) for output in outputs]
    opened = next(index for index, score in enumerate(stored) if score.alert is not None)
    closed = next(index for index, score in enumerate(stored) if score.alert and score.alert.state == "closed")
    # Less history, another budget, another model: these decide otherwise, or not at all.
    for context in (decision_context(), decision_context(per_week=28.0), None):
        followed, open_at = DetectorState(), []
        for index, score in enumerate(stored[290:]):
            followed = follow(followed, context, score)
            if followed.lifecycle.alert is not None:
                open_at.append(290 + index)
        assert open_at == list(range(opened, closed))
        assert followed.position == state.position
        sent = [output.alert for output in followed.outbox]
        assert sent == [output.alert for output in outputs if output.alert is not None][-len(sent) :]


def test_what_was_read_back_is_sent_again_byte_for_byte() -> None:
    _, outputs = decide(DetectorState(), context_of, WINDOWS)
    output = next(output for output in outputs if output.alert is not None)
    record = output.logged().to_record()

    again = Output.of_logged(Score.from_record(record))

    assert again == output
    assert again.logged().to_record() == record
    assert again.alert is not None
    assert again.alert.to_record() == output.alert.to_record()
