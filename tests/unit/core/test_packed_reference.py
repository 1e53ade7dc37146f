"""What a device learned of another model is kept in less space, and decides alike when it comes back."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.block_state import BlockState, Shelf, dump
from processors.core.decision import decide
from processors.core.detector_state import DetectorState
from processors.core.learning import enter
from processors.core.limits import UNKNOWN, limits_of
from processors.core.reference import MERGED, Block, Reference, Tops, accept, end_hour, rounded
from processors.core.sensitivity import BLOCKS_PER_DAY, BLOCKS_PER_HOUR, READY_DAYS, plan

from .judging import MODEL, judge_of, window
from .models import FakeModel

PLAN = plan(1.0)


def day(rng: np.random.Generator) -> Tops:
    """A day's largest of Gamma blocks."""
    peaks = np.round(np.sort(rng.gamma(4.0, 2.0, BLOCKS_PER_DAY))[::-1], 4)
    return Tops(BLOCKS_PER_DAY, tuple(peaks[: PLAN.tops]), tuple(np.round(peaks[: PLAN.tops // 2] / 3.0, 4)))


def reference(days: int) -> Reference:
    rng = np.random.default_rng(days)
    return Reference(
        location=8.0,
        spread=2.0,
        ceiling=12.0,
        days=tuple(day(rng) for _ in range(days)),
        waiting=day(rng),
        today=Tops(),
        hour=Tops(),
        baseline=8.0,
    )


@pytest.mark.parametrize("days", [0, 1, 2, 3, 7, PLAN.days])
def test_packed_and_whole_references_give_the_same_limits(days: int) -> None:
    whole = reference(days)
    packed = whole.packed()
    assert packed.blocks == whole.blocks
    assert packed.ready == whole.ready
    assert limits_of(packed, PLAN, UNKNOWN) == limits_of(whole, PLAN, UNKNOWN)
    assert packed.packed() == packed


@pytest.mark.parametrize("per_week", [0.25, 1.0, 28.0])
def test_packed_days_keep_what_they_hold_as_other_days_follow(per_week: float) -> None:
    chosen = plan(per_week)
    packed = reference(max(READY_DAYS, chosen.days)).packed()
    after = packed
    for _ in range(2 * BLOCKS_PER_DAY // BLOCKS_PER_HOUR):
        for _ in range(BLOCKS_PER_HOUR):
            after = after._replace(hour=accept(after.hour, Block(0.0, 1.0, 0.1, 0.1)))
        after = end_hour(after, chosen)
    assert len(after.days) == len(packed.days) + 2
    assert after.days[0].peaks == packed.days[0].peaks
    assert after.days[0].levels == packed.days[0].levels
    assert len(after.days[0].peaks) == MERGED


def test_what_enters_later_enters_both() -> None:
    whole, high = reference(PLAN.days), 40.0
    entered = [enter(one, PLAN, high, None, clipped=True)[0] for one in (whole, whole.packed())]
    after, before = limits_of(entered[0], PLAN, UNKNOWN), limits_of(whole, PLAN, UNKNOWN)
    assert after == limits_of(entered[1], PLAN, UNKNOWN)
    assert after != before


def test_a_packed_memory_takes_half_the_space_with_every_regime() -> None:
    whole = reference(PLAN.days)
    state = BlockState(early=None, reference=whole, shelf=(Shelf("night", None, whole, None),))
    assert len(dump(state.packed())) < 0.5 * len(dump(state))


def test_a_model_that_scores_no_longer_is_remembered_packed() -> None:
    old, new = (FakeModel(name, MODEL.spec) for name in ("old", "new"))
    state, _ = decide(DetectorState(), judge_of, [window(index, 0.0, model=old) for index in range(12)])
    assert state.learned is not None
    grown = state.learned.rule._replace(early=None, reference=reference(PLAN.days))
    state = state.model_copy(update={"learned": state.learned._replace(rule=grown)})

    after, _ = decide(state, judge_of, [window(12, 0.0, model=new)])

    assert after.previous == state.learned._replace(rule=grown.packed())
    assert after.previous != state.learned


@pytest.mark.parametrize("days", [READY_DAYS, PLAN.days])
def test_of_the_day_under_way_no_more_is_kept_than_can_still_count(days: int) -> None:
    rng = np.random.default_rng(3)
    peaks, levels = rng.gamma(4.0, 2.0, (2, BLOCKS_PER_DAY))
    after = reference(days)
    for number, (peak, level) in enumerate(zip(peaks, levels, strict=True), 1):
        after = after._replace(hour=accept(after.hour, Block(0.0, 1.0, peak, level)))
        if number % BLOCKS_PER_HOUR == 0:
            after = end_hour(after, PLAN)
        if number == BLOCKS_PER_DAY // 2:
            assert len(after.today.peaks) == PLAN.tops
    assert after.waiting == Tops(
        BLOCKS_PER_DAY,
        tuple(map(rounded, np.sort(peaks)[::-1][: PLAN.tops])),
        tuple(map(rounded, np.sort(levels)[::-1][: PLAN.tops // 2])),
    )
