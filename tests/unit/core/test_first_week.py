"""The first week: the largest values of all sound heard decide, and what chance brings enters with its hour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from processors.core.threshold.block_state import BlockState
from processors.core.threshold.budget import BLOCKS_PER_DAY, BLOCKS_PER_HOUR, READY_DAYS, budget_plan
from processors.core.threshold.episode import Judgement
from processors.core.threshold.feedback import apply_judgement
from processors.core.threshold.limits import NO_PRIOR, PEAK_INDEX_PRIOR, chance_ceiling, limits_of
from processors.core.threshold.reference import (
    MAX_RANKED,
    BlockSummary,
    Reference,
    add_block,
    end_hour,
    first_reference,
    round_significant,
)
from processors.core.threshold.reference_update import discard_recent

from .scores import RULE, hear, known, normal, opened

PLAN = budget_plan(1.0)


def test_until_ready_the_largest_of_all_blocks_heard_are_ranked_whatever_day_they_are_of() -> None:
    rng = np.random.default_rng(7)
    values = rng.gamma(4.0, 2.0, ((READY_DAYS + 2) * 24, 2, BLOCKS_PER_HOUR))
    # Half of all days are louder than the others: most of the largest are of few days.
    values[np.arange(len(values)) // 24 % 2 == 1] *= 1.5
    first = [(level, peak) for peak, level in values[0].T.tolist()]
    reference = first_reference(tuple(first), 2.0)
    heard = [np.array(values[0] - reference.location)]
    for hour in values[1:]:
        for peak, level in hour.T.tolist():
            reference = reference._replace(hour=add_block(reference.hour, BlockSummary(0.0, 1.0, peak, level)))
        reference = end_hour(reference, PLAN)
        heard.append(hour)
        if reference.ready:
            break
        peaks, levels = np.sort(np.concatenate(heard, axis=1))[:, ::-1][:, :MAX_RANKED]
        ranked = reference.ranked_maxima()
        assert ranked.blocks == len(heard) * BLOCKS_PER_HOUR
        assert ranked.peaks == tuple(map(round_significant, peaks))
        assert ranked.levels == tuple(map(round_significant, levels))
    assert len(heard) == (READY_DAYS + 1) * 24


@pytest.mark.parametrize("days", [READY_DAYS - 1, READY_DAYS, READY_DAYS + 1])
def test_a_day_keeps_few_values_and_while_learning_all_that_are_ranked(days: int) -> None:
    rng = np.random.default_rng(3)
    reference = first_reference(tuple((0.0, peak) for peak in rng.gamma(4.0, 2.0, BLOCKS_PER_HOUR).tolist()), 1.0)
    while reference.blocks < (days + 1) * BLOCKS_PER_DAY:
        louder = 3.0 if len(reference.days) == 1 else 1.0
        for peak in (louder * rng.gamma(4.0, 2.0, BLOCKS_PER_HOUR)).tolist():
            reference = reference._replace(hour=add_block(reference.hour, BlockSummary(0.0, 1.0, peak, 0.1 * peak)))
        reference = end_hour(reference, PLAN)

    assert reference.ready == (days >= READY_DAYS)
    assert reference.quarantine is not None
    kept = [(len(day.peaks), len(day.levels)) for day in (*reference.days, reference.quarantine)]
    few = (PLAN.maxima_per_day, PLAN.maxima_per_day // 2)
    assert sorted(kept) == [few] * days + [few if reference.ready else (MAX_RANKED, MAX_RANKED)]


def test_until_seven_days_are_heard_thresholds_are_those_of_three_times_the_promise() -> None:
    rng = np.random.default_rng(4)
    reference = first_reference(tuple((0.0, peak) for peak in rng.gamma(4.0, 2.0, BLOCKS_PER_HOUR).tolist()), 1.0)
    for _ in range((READY_DAYS + 2) * 24):
        for peak, level in rng.gamma(4.0, 2.0, (BLOCKS_PER_HOUR, 2)).tolist():
            reference = reference._replace(hour=add_block(reference.hour, BlockSummary(0.0, 1.0, peak, level)))
        reference = end_hour(reference, PLAN)
        others = (
            budget_plan(3.0)
            if reference.blocks < READY_DAYS * BLOCKS_PER_DAY
            else replace(PLAN, calibration_allowance=1.0)
        )
        here, there = (limits_of(reference, chosen, NO_PRIOR) for chosen in (PLAN, others))
        assert (here.peak, here.level) == pytest.approx((there.peak, there.level))


def young() -> BlockState:
    """Two hours and ten minutes old."""
    state, decisions = hear(RULE.begin(), normal(7_800, 5))
    assert not any(opened(decisions))
    return state


def known_of(state: BlockState) -> Reference:
    assert state.reference is not None
    return state.reference


def test_what_chance_brings_enters_with_its_hour_clipped() -> None:
    before = young()
    heard = known_of(before).ranked_maxima()
    state, decisions = hear(before, [30.0, *normal(300, 6)])
    entered = state.episodes.closed[-1].entered_peak

    assert opened(decisions) == [0]
    assert entered is not None
    assert entered == round_significant(chance_ceiling(heard.peaks, heard.blocks, PEAK_INDEX_PRIOR))
    assert known_of(state).hour.peaks[0] == entered
    assert state.limits.peak == before.limits.peak
    after, _ = hear(state, normal(3_600, 7))
    assert known_of(after).today.peaks[0] == entered
    assert after.limits.peak > before.limits.peak


def test_the_first_alarm_of_a_fault_that_lasts_leaves_nothing() -> None:
    before = young()
    state, first = hear(before, [30.0, *normal(60, 6)])
    entered = state.episodes.closed[-1].entered_peak
    state, fault = hear(state, [6.0 + score for score in normal(600, 7)])
    state, _ = hear(state, normal(600, 8))

    assert opened(first)
    assert entered is not None
    assert opened(fault)
    assert state.episodes.current is None
    assert known_of(state).ranked_maxima() == known_of(before).ranked_maxima()
    assert [past.entered_peak for past in state.episodes.closed] == [None, None]
    later, _ = hear(state, normal(7_200, 9))
    assert known_of(later).today.blocks > known_of(before).today.blocks
    assert entered not in known_of(later).today.peaks


def test_a_real_alarm_leaves_the_hour_under_way() -> None:
    before = young()
    state, decisions = hear(before, [30.0, *normal(60, 6)])
    real = apply_judgement(RULE, state, decisions[0].episode, "real")

    assert known_of(state).hour.peaks[0] > before.limits.peak / 1.5
    assert known_of(real).hour.peaks == known_of(before).hour.peaks
    assert real.episodes.closed[-1].entered_peak is None


def test_a_false_alarm_enters_at_once_as_it_is() -> None:
    state, decisions = hear(young(), [30.0, *normal(60, 6)])
    false = apply_judgement(RULE, state, decisions[0].episode, "false-alarm")
    peak = state.episodes.closed[-1].peak

    assert peak is not None
    assert known_of(false).today.peaks[0] == round_significant(peak)
    assert known_of(false).hour.peaks == known_of(young()).hour.peaks
    assert false.limits.peak > state.limits.peak


def test_a_false_alarm_counts_on_when_a_later_week_begins() -> None:
    state = known(days=READY_DAYS - 1)
    state, decisions = hear(state, [30.0, *normal(60, 6)])
    reference = known_of(apply_judgement(RULE, state, decisions[0].episode, "false-alarm"))
    assert not reference.ready
    assert reference.ranked_maxima().peaks[0] == 30.0
    for _ in range(BLOCKS_PER_DAY // BLOCKS_PER_HOUR):
        for peak in np.random.default_rng(2).uniform(2.0, 3.0, BLOCKS_PER_HOUR).tolist():
            reference = reference._replace(hour=add_block(reference.hour, BlockSummary(0.0, 1.0, peak, 0.1)))
        reference = end_hour(reference, PLAN)
    assert reference.ready
    assert reference.ranked_maxima().peaks[0] == 30.0
    assert discard_recent(reference).ranked_maxima().peaks[0] == 30.0


@pytest.mark.parametrize("judgement", ["real", "false-alarm"])
def test_a_verdict_on_what_a_fault_took_along_takes_no_others_value(judgement: Judgement) -> None:
    state, first = hear(young(), [30.0, *normal(60, 6)])
    state, _ = hear(state, [6.0 + score for score in normal(600, 7)])
    state, _ = hear(state, normal(600, 8))
    state, second = hear(state, [30.0, *normal(60, 9)])
    (entered,) = (past.entered_peak for past in state.episodes.closed if past.entered_peak is not None)

    assert opened(first)
    assert opened(second) == [0]
    assert entered in known_of(state).hour.peaks
    after = apply_judgement(RULE, state, first[0].episode, judgement)
    assert entered in known_of(after).hour.peaks
