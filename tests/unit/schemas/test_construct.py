"""Models constructed without validation equal those constructed with it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from processors.core.alerting.detector_state import DetectorState, Output
from schemas.construct import construct_unchecked
from schemas.score import ScoreExplanation
from tests.unit.schemas.records import ALERT, SCORE

EXPLANATION = ScoreExplanation(
    confirmed=1.5,
    level=0.25,
    level_threshold=None,
    p_value=0.5,
    reference_blocks=7,
    block=3,
    calibration_progress=0.25,
    false_alarms_per_week=1.0,
)
MODELS: list[BaseModel] = [SCORE, EXPLANATION, Output(score=SCORE, alert=ALERT), DetectorState()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_it_is_equal_and_has_the_same_json(model: BaseModel) -> None:
    fields = {name: getattr(model, name) for name in type(model).model_fields}
    again = construct_unchecked(type(model), **fields)
    assert again == model
    assert again.model_dump_json() == model.model_dump_json()
    assert type(model).model_validate_json(again.model_dump_json()) == model
    assert again.model_copy() == model
    assert again.model_fields_set == set(fields)


def test_it_is_frozen() -> None:
    again = construct_unchecked(
        ScoreExplanation, **{name: getattr(EXPLANATION, name) for name in ScoreExplanation.model_fields}
    )
    with pytest.raises(ValueError, match="frozen"):
        again.reference_blocks = 8  # type: ignore[misc]
