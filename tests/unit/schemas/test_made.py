"""Records made without checks are the records that checks would have made."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from processors.core.alerting.detector_state import DetectorState, Output
from schemas.construct import construct_unchecked
from schemas.score import ScoreExplanation
from tests.unit.schemas.records import ALERT, SCORE

WHY = ScoreExplanation(
    confirmed=1.5,
    level=0.25,
    level_threshold=None,
    p_value=0.5,
    reference_blocks=7,
    block=3,
    calibration_progress=0.25,
    false_alarms_per_week=1.0,
)
MODELS: list[BaseModel] = [SCORE, WHY, Output(score=SCORE, alert=ALERT), DetectorState()]


@pytest.mark.parametrize("one", MODELS, ids=lambda one: type(one).__name__)
def test_it_is_equal_and_reads_the_same(one: BaseModel) -> None:
    fields = {name: getattr(one, name) for name in type(one).model_fields}
    again = construct_unchecked(type(one), **fields)
    assert again == one
    assert again.model_dump_json() == one.model_dump_json()
    assert type(one).model_validate_json(again.model_dump_json()) == one
    assert again.model_copy() == one
    assert again.model_fields_set == set(fields)


def test_it_is_as_frozen_as_any_other() -> None:
    again = construct_unchecked(
        ScoreExplanation, **{name: getattr(WHY, name) for name in ScoreExplanation.model_fields}
    )
    with pytest.raises(ValueError, match="frozen"):
        again.reference_blocks = 8  # type: ignore[misc]
