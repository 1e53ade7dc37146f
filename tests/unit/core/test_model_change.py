"""When another model scores: its own threshold, the same alert, and a rollback that goes on where it was."""

from __future__ import annotations

import pytest

from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.detector_state import DetectorState, Output
from schemas.score import Stage

from .models import FakeModel
from .scored_windows import MODEL, context_of, observed_s, window

OLD, NEW, THIRD = (FakeModel(name, MODEL.spec) for name in ("old", "new", "third"))
QUIET = [0.0, 0.1, -0.1, 0.05] * 5


def windows(model: FakeModel, scores: list[float], first: int, stage: Stage = "champion") -> list[ScoredWindow]:
    return [window(first + index, score, model=model, stage=stage) for index, score in enumerate(scores)]


def run(
    scored: list[ScoredWindow], state: DetectorState | None = None, other: DetectorState | None = None
) -> tuple[DetectorState, list[Output]]:
    return decide(state or DetectorState(), context_of, scored, other=other)


def test_a_new_model_warms_up_and_every_score_names_its_model() -> None:
    state, outputs = run([*windows(OLD, QUIET, 0), *windows(NEW, [100.0] * 12, 20)])

    assert [output.score.model.version for output in outputs] == ["old"] * 20 + ["new"] * 12
    assert [output.score.threshold is None for output in outputs[20:]] == [True] * 8 + [False] * 4
    assert [output.alert for output in outputs if output.alert is not None] == []
    assert state.model_sha256 == NEW.sha256
    assert state.previous_model is not None
    assert state.previous_model.sha256 == OLD.sha256


def test_a_rollback_continues_with_its_threshold() -> None:
    before, _ = run(windows(OLD, QUIET, 0))
    expected = run(windows(OLD, [0.0], 20), before)[1][0].score.threshold
    after, _ = run(windows(NEW, [50.0] * 10, 20), before)

    back, again = run(windows(OLD, [0.0, 9.0, 9.0], 30), after)

    assert expected is not None
    assert again[0].score.threshold == pytest.approx(expected)
    assert [o.alert.state for o in again if o.alert is not None] == ["opened"]
    assert back.previous_model is not None
    assert back.previous_model.sha256 == NEW.sha256


def test_only_one_previous_model_is_stored() -> None:
    state, _ = run([*windows(OLD, QUIET, 0), *windows(NEW, QUIET, 20), *windows(THIRD, QUIET, 40)])

    _, outputs = run(windows(OLD, [0.0], 60), state)

    assert outputs[0].score.threshold is None


def test_a_promoted_shadow_keeps_its_threshold() -> None:
    champion, _ = run(windows(OLD, QUIET, 0))
    shadow, _ = run(windows(NEW, [7.0, 7.1] * 10, 0, "shadow"))

    _, outputs = run(windows(NEW, [7.0], 20), champion, other=shadow)

    assert 7.0 < (outputs[0].score.threshold or 0.0) < 15.0


def test_the_shadows_thresholds_of_another_model_are_not_used() -> None:
    champion, _ = run(windows(OLD, QUIET, 0))
    shadow, _ = run(windows(THIRD, QUIET, 0, "shadow"))

    _, outputs = run(windows(NEW, [7.0], 20), champion, other=shadow)

    assert outputs[0].score.threshold is None


def test_a_champion_that_becomes_shadow_keeps_its_threshold() -> None:
    champion, _ = run([*windows(OLD, QUIET, 0), *windows(NEW, [1.0], 20)])

    _, outputs = run(windows(OLD, [0.0], 20, "shadow"), None, other=champion)

    assert outputs[0].score.threshold is not None


def test_an_open_alert_continues_and_closes_under_the_new_model() -> None:
    before, _ = run([*windows(OLD, [*QUIET, 9.0, 9.0], 0)])
    assert before.lifecycle.alert is not None

    _, outputs = run(windows(NEW, [50.0, 50.1] * 8, 22), before)

    alerts = [output.alert for output in outputs if output.alert is not None]
    assert [(alert.alert_id, alert.state) for alert in alerts] == [(before.lifecycle.alert.alert_id, "closed")]
    assert alerts[0].model.version == "new"


def test_the_peak_of_an_open_alert_is_counted_on_the_new_models_scale() -> None:
    before, _ = run(windows(OLD, [*QUIET, 900.0, 900.0], 0))
    shadow, _ = run(windows(NEW, QUIET, 0, "shadow"))

    _, outputs = run(windows(NEW, [3.0] * 8, 22), before, other=shadow)

    alerts = [output.alert for output in outputs if output.alert is not None]
    assert alerts
    assert {alert.peak_score for alert in alerts} == {3.0}


def test_a_shadow_never_alerts_and_excludes_faults() -> None:
    before, _ = run(windows(NEW, QUIET, 0, "shadow"))

    after, outputs = run(windows(NEW, [9.0] * 20, 20, "shadow"), before)

    assert all(output.alert is None for output in outputs)
    assert [output.score.stage for output in outputs] == ["shadow"] * 20
    assert all(output.score.exceeds for output in outputs)
    assert observed_s(after) == observed_s(before) + 20
    (early, earlier) = (state.current_model and state.current_model.block_state.warm_up for state in (after, before))
    assert early is not None
    assert earlier is not None
    assert early.n <= earlier.n + 2


def test_ids_of_shadows_and_champions_and_of_lengths_differ() -> None:
    (champion,) = run(windows(OLD, [0.0], 0))[1]
    (shadow,) = run(windows(OLD, [0.0], 0, "shadow"))[1]
    longer = champion.score.model_copy(update={"n_samples": champion.score.n_samples * 2})

    assert len({champion.score.event_id(), shadow.score.event_id(), longer.event_id()}) == 3


def test_a_replay_across_a_model_change_repeats_the_outputs() -> None:
    first, _ = run(windows(OLD, QUIET, 0))
    state, sent = run([*windows(OLD, [0.0, 0.1], 20), *windows(NEW, [5.0, 5.1], 22)], first)

    again, repeated = run(windows(NEW, [5.0, 5.0, 5.0, 5.0], 20), state)

    assert again is state
    assert [o.model_dump_json() for o in repeated] == [o.model_dump_json() for o in sent]
