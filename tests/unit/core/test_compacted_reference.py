"""The thresholds of the previous model are stored in less space and give the same limits."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.alerting.decision import decide
from processors.core.alerting.detector_state import DetectorState
from processors.core.threshold.block_state import BlockState, InactiveRegime, dump
from processors.core.threshold.budget import BLOCKS_PER_DAY, BLOCKS_PER_HOUR, READY_DAYS, budget_plan
from processors.core.threshold.limits import NO_PRIOR, limits_of
from processors.core.threshold.reference import (
    MAX_RANKED,
    BlockMaxima,
    BlockSummary,
    Reference,
    add_block,
    end_hour,
    round_significant,
)
from processors.core.threshold.reference_update import enter_episode

from .models import FakeModel
from .scored_windows import MODEL, context_of, window

PLAN = budget_plan(1.0)


def day(rng: np.random.Generator) -> BlockMaxima:
    """A day's largest of Gamma blocks."""
    peaks = np.round(np.sort(rng.gamma(4.0, 2.0, BLOCKS_PER_DAY))[::-1], 4)
    return BlockMaxima(
        BLOCKS_PER_DAY, tuple(peaks[: PLAN.maxima_per_day]), tuple(np.round(peaks[: PLAN.maxima_per_day // 2] / 3.0, 4))
    )


def reference(days: int) -> Reference:
    rng = np.random.default_rng(days)
    return Reference(
        location=8.0,
        spread=2.0,
        ceiling=12.0,
        days=tuple(day(rng) for _ in range(days)),
        quarantine=day(rng),
        today=BlockMaxima(),
        hour=BlockMaxima(),
        baseline=8.0,
    )


@pytest.mark.parametrize("days", [0, 1, 2, 3, 7, PLAN.days])
def test_compacted_and_full_references_give_the_same_limits(days: int) -> None:
    full = reference(days)
    compacted = full.compacted()
    assert compacted.blocks == full.blocks
    assert compacted.ready == full.ready
    assert limits_of(compacted, PLAN, NO_PRIOR) == limits_of(full, PLAN, NO_PRIOR)
    assert compacted.compacted() == compacted


@pytest.mark.parametrize("per_week", [0.25, 1.0, 28.0])
def test_merged_days_keep_their_maxima_as_other_days_follow(per_week: float) -> None:
    plan = budget_plan(per_week)
    compacted = reference(max(READY_DAYS, plan.days)).compacted()
    after = compacted
    for _ in range(2 * BLOCKS_PER_DAY // BLOCKS_PER_HOUR):
        for _ in range(BLOCKS_PER_HOUR):
            after = after._replace(hour=add_block(after.hour, BlockSummary(0.0, 1.0, 0.1, 0.1)))
        after = end_hour(after, plan)
    assert len(after.days) == len(compacted.days) + 2
    assert after.days[0].peaks == compacted.days[0].peaks
    assert after.days[0].levels == compacted.days[0].levels
    assert len(after.days[0].peaks) == MAX_RANKED


def test_later_episodes_enter_both_alike() -> None:
    full, high = reference(PLAN.days), 40.0
    entered = [enter_episode(one, PLAN, high, None, clipped=True)[0] for one in (full, full.compacted())]
    after, before = limits_of(entered[0], PLAN, NO_PRIOR), limits_of(full, PLAN, NO_PRIOR)
    assert after == limits_of(entered[1], PLAN, NO_PRIOR)
    assert after != before


def test_a_compacted_state_takes_half_the_space_with_every_regime() -> None:
    full = reference(PLAN.days)
    state = BlockState(warm_up=None, reference=full, inactive_regimes=(InactiveRegime("night", None, full, None),))
    assert len(dump(state.compacted())) < 0.5 * len(dump(state))


def test_the_previous_model_is_stored_compacted() -> None:
    old, new = (FakeModel(name, MODEL.spec) for name in ("old", "new"))
    state, _ = decide(DetectorState(), context_of, [window(index, 0.0, model=old) for index in range(12)])
    assert state.current_model is not None
    grown = state.current_model.block_state._replace(warm_up=None, reference=reference(PLAN.days))
    state = state.model_copy(update={"current_model": state.current_model._replace(block_state=grown)})

    after, _ = decide(state, context_of, [window(12, 0.0, model=new)])

    assert after.previous_model == state.current_model._replace(block_state=grown.compacted())
    assert after.previous_model != state.current_model


@pytest.mark.parametrize("days", [READY_DAYS, PLAN.days])
def test_the_current_day_stores_no_more_than_will_be_promoted(days: int) -> None:
    rng = np.random.default_rng(3)
    peaks, levels = rng.gamma(4.0, 2.0, (2, BLOCKS_PER_DAY))
    after = reference(days)
    for number, (peak, level) in enumerate(zip(peaks, levels, strict=True), 1):
        after = after._replace(hour=add_block(after.hour, BlockSummary(0.0, 1.0, peak, level)))
        if number % BLOCKS_PER_HOUR == 0:
            after = end_hour(after, PLAN)
        if number == BLOCKS_PER_DAY // 2:
            assert len(after.today.peaks) == PLAN.maxima_per_day
    assert after.quarantine == BlockMaxima(
        BLOCKS_PER_DAY,
        tuple(map(round_significant, np.sort(peaks)[::-1][: PLAN.maxima_per_day])),
        tuple(map(round_significant, np.sort(levels)[::-1][: PLAN.maxima_per_day // 2])),
    )
