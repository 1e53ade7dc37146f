"""States are written as pydantic writes them, whatever has changed since the previous write."""

from __future__ import annotations

import numpy as np

from processors.adapters.redis.state_codec import StateTexts
from processors.core.alerting.decision import decide
from processors.core.alerting.detector_state import DetectorState
from processors.core.alerting.operator_feedback import OperatorFeedback
from tests.unit.core.scored_windows import context_of, window


def test_every_state_of_a_device_is_written_as_pydantic_writes_it() -> None:
    rng = np.random.default_rng(11)
    scores = rng.standard_gamma(4.0, 5_000)
    scores[4_200:4_260] += 40.0
    texts, state, written = StateTexts(), DetectorState(), set[str]()
    assert texts.of(("d1", "machine"), state) == state.model_dump_json()
    for start in range(0, len(scores), 7):
        part = scores[start : start + 7]
        session = f"s-{start // 1_500}"
        feedback = (OperatorFeedback(1, "normal"),) if start > 4_500 else ()
        windows = [window(index, float(score), session) for index, score in enumerate(part, start)]
        state, outputs = decide(state, context_of, windows, feedback=feedback)
        text = texts.of(("d1", "machine"), state)
        assert text == state.model_dump_json()
        assert DetectorState.model_validate_json(text) == state
        written |= {output.alert.state for output in outputs if output.alert is not None}
    assert state.current_model is not None
    assert state.current_model.block_state.reference is not None
    assert state.current_model.block_state.previous_location is not None
    assert {"opened", "closed"} <= written


def test_devices_do_not_share_cached_parts() -> None:
    texts = StateTexts()
    one, _ = decide(DetectorState(), context_of, [window(index, 1.0) for index in range(9)])
    other, _ = decide(DetectorState(), context_of, [window(index, 2.0) for index in range(9)])
    for state, key in ((one, "a"), (other, "b"), (one, "b"), (other, "a")):
        assert texts.of((key, "machine"), state) == state.model_dump_json()
