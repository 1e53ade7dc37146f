"""Decisions: alerts open, update and close; a replay changes nothing and loses nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.alerting.alert_lifecycle import AlertLifecycle, advance
from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.threshold.block_state import Decision
from processors.core.threshold.limits import Limits
from schemas.errors import ScoreNotFinite

from .scored_windows import DETECTOR, HOP, context_of, observed_s, window

QUIET = [0.0, 0.1, -0.1, 0.05] * 5


def run(windows: list[ScoredWindow], state: DetectorState | None = None) -> tuple[DetectorState, list[Output]]:
    return decide(state or DetectorState(), context_of, windows)


def numbered(scores: list[float], first: int = 0, session: str = "s1") -> list[ScoredWindow]:
    return [window(first + index, score, session) for index, score in enumerate(scores)]


def alerts(outputs: list[Output]) -> list[tuple[str, int, int]]:
    return [(o.alert.state, o.alert.revision, o.alert.first_sample // HOP) for o in outputs if o.alert is not None]


def test_normal_sound_raises_no_alert() -> None:
    _, outputs = run(numbered(QUIET * 10))

    assert alerts(outputs) == []
    assert len(outputs) == len(QUIET) * 10


def test_m_of_n_windows_open_and_quiet_ones_close() -> None:
    _, outputs = run(numbered([*QUIET, 9.0, 0.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0]))

    assert alerts(outputs) == [("opened", 0, 22), ("closed", 1, 27)]


def test_a_single_window_above_raises_no_alert() -> None:
    _, outputs = run(numbered([*QUIET, 9.0, 0.0, 0.0, 9.0, 0.0, 0.0]))

    assert [o.score.exceeds for o in outputs[20:]] == [True, False, False, True, False, False]
    assert alerts(outputs) == []


def test_a_lasting_fault_is_updated_stays_open_and_moves_no_threshold() -> None:
    before, _ = run(numbered(QUIET))
    after, outputs = run(numbered([9.0] * 30, first=20), before)

    assert [state for state, _, _ in alerts(outputs)] == ["opened", *["updated"] * 7]
    assert after.lifecycle.alert is not None
    thresholds = [o.score.threshold for o in outputs[1:]]
    assert thresholds[1:] == [thresholds[1]] * 28


def test_an_alert_carries_place_time_and_evidence() -> None:
    _, outputs = run(numbered([*QUIET, 19.0, 19.0]))
    alert = outputs[-1].alert

    assert alert is not None
    assert (alert.device_id, alert.detector, alert.session_id) == ("d1", "machine", "s1")
    assert alert.dedup_key == "d1/machine"
    assert alert.audio is not None
    assert (alert.audio.partition, alert.audio.first_offset, alert.audio.last_offset) == (3, 210, 213)
    assert [band.excess for band in alert.bands] == [0.75, 0.25, 0.0]
    assert alert.threshold < alert.score == alert.peak_score == 19.0
    assert alert.severity == "critical"


@pytest.mark.parametrize(
    ("times", "severity"),
    [
        ((1.01, 1.01), "warning"),
        ((1.99, 1.99), "warning"),
        ((2.01, 2.01), "critical"),
        # The second largest of three is what counts, however far the largest lies.
        ((9.0, 1.01), "warning"),
    ],
)
def test_an_alert_is_critical_at_twice_the_thresholds_distance_from_the_usual_score(
    times: tuple[float, float], severity: str
) -> None:
    state, _ = run(numbered(QUIET))
    assert state.current_model is not None
    usual, distance = state.current_model.block_state.limits.location, state.current_model.block_state.limits.peak

    after, outputs = run(numbered([usual + one * distance for one in times], first=20), state)

    assert [(o.alert.state, o.alert.severity) for o in outputs if o.alert is not None] == [("opened", severity)]
    _, later = run(numbered([usual + 1.01 * distance] * 12, first=22), after)
    assert {o.alert.severity for o in later if o.alert is not None} == {severity}


@pytest.mark.parametrize(("level", "severity"), [(0.41, "warning"), (0.79, "warning"), (0.81, "critical")])
def test_an_alert_is_critical_at_twice_the_levels_threshold(level: float, severity: str) -> None:
    _, outputs = run(numbered(QUIET))
    limits = Limits(location=10.0, ceiling=2.0, peak=4.0, level=0.4)
    # Below the threshold of single scores: the minute alone exceeds.
    decision = Decision(11.0, 11.0, level, limits, block=3, alert="opens", kind="level", episode=1)

    _, alert = advance(AlertLifecycle(), DETECTOR, outputs[-1].score, decision, 0)

    assert alert is not None
    assert (alert.kind, alert.severity) == ("level", severity)


def test_hysteresis_a_score_just_below_the_threshold_does_not_close() -> None:
    state, outputs = run(numbered([*QUIET, 9.0, 9.0]))
    threshold = outputs[-1].score.threshold
    assert threshold is not None

    _, near = run(numbered([threshold - 0.05] * 10, first=22), state)
    _, far = run(numbered([0.0] * 10, first=22), state)

    assert "closed" not in [state for state, _, _ in alerts(near)]
    assert "closed" in [state for state, _, _ in alerts(far)]


@pytest.mark.parametrize("cut", range(1, 27, 4))
def test_a_replay_repeats_exactly_the_last_batch(cut: int) -> None:
    scores = [*QUIET, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0]
    windows = numbered(scores)
    first, sent = run(windows[:cut])
    state, more = run(windows[cut:], first)

    # Scores of a replay come from other batch shapes and differ in the last digits.
    again, repeated = run([window(w.window.first_sample // HOP, w.score + 1e-7) for w in windows], state)

    assert again is state
    assert [o.model_dump_json() for o in repeated] == [o.model_dump_json() for o in more]
    assert {o.score.event_id() for o in sent}.isdisjoint({o.score.event_id() for o in repeated})


def test_a_replay_with_new_windows_keeps_unconfirmed_outputs() -> None:
    state, sent = run(numbered([*QUIET, 9.0, 9.0]))

    after, outputs = run(numbered([9.0, 9.0, 9.0], first=20), state)

    assert [o.model_dump_json() for o in outputs[:2]] == [o.model_dump_json() for o in sent[-2:]]
    assert after.outbox == tuple(outputs)


def test_windows_of_an_earlier_session_are_replays() -> None:
    first, _ = run(numbered(QUIET, session="s1"))
    second, _ = run(numbered(QUIET, session="s2"), first)

    again, outputs = run(numbered(QUIET, session="s1"), second)

    assert again is second
    assert outputs == []


def test_a_new_session_keeps_threshold_and_open_alert_but_confirms_anew() -> None:
    state, _ = run(numbered([*QUIET, 9.0]))
    after, outputs = run(numbered([9.0, 0.0, 0.0], session="s2"), state)

    assert alerts(outputs) == []
    assert observed_s(after) == observed_s(state) + 3


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, -0.1, 9.0]), min_size=1, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    crashes=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5),
)
def test_any_batches_and_replays_give_the_outputs_of_one_run(
    scores: list[float], cuts: list[int], crashes: list[tuple[int, int]]
) -> None:
    windows = numbered([*QUIET, *scores])
    _, whole = run(windows)
    expected = {o.score.event_id(): o.model_dump_json() for o in whole}

    state = DetectorState()
    seen: dict[str, str] = {}
    edges = sorted({0, *(min(cut, len(windows)) for cut in cuts), len(windows)})
    for start, end in itertools.pairwise(edges):
        state, outputs = decide(state, context_of, windows[start:end])
        seen |= {o.score.event_id(): o.model_dump_json() for o in outputs}
        for a, b in crashes:
            low, high = sorted((min(a, end), min(b, end)))
            state, outputs = decide(state, context_of, windows[low:high])
            seen |= {o.score.event_id(): o.model_dump_json() for o in outputs}

    assert seen == expected


@settings(max_examples=60, deadline=None)
@given(scores=st.lists(st.floats(-50, 50), max_size=120))
def test_at_most_one_alert_is_open_and_each_closes_once(scores: list[float]) -> None:
    _, outputs = run(numbered([*QUIET, *scores]))
    open_id = None
    closed = set()
    for alert in (o.alert for o in outputs if o.alert is not None):
        if alert.state == "opened":
            assert open_id is None
            open_id, revision = alert.alert_id, 0
            assert alert.alert_id not in closed
        else:
            revision += 1
            assert alert.alert_id == open_id
        assert alert.revision == revision
        if alert.state == "closed":
            closed.add(alert.alert_id)
            open_id = None


def test_scores_are_finite_json() -> None:
    _, outputs = run([window(0, float(np.float32(1.25)))])

    assert type(outputs[0].score).from_record(outputs[0].score.to_record()) == outputs[0].score


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_is_refused(score: float) -> None:
    with pytest.raises(ScoreNotFinite, match=r"gave -?(nan|inf) for 'd1', session 's1', sample 16000"):
        decide(DetectorState(), context_of, [window(0, 1.0), window(1, score)])
