"""The first week: the largest values of all blocks are ranked, and short episodes enter with their hour."""

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

from .scores import RULE, apply_scores, gaussian, opened, ready_state

PLAN = budget_plan(1.0)


def test_while_calibrating_the_largest_of_all_blocks_are_ranked() -> None:
    rng = np.random.default_rng(7)
    values = rng.gamma(4.0, 2.0, ((READY_DAYS + 2) * 24, 2, BLOCKS_PER_HOUR))
    # Half of all days are louder than the others: most of the largest are of few days.
    values[np.arange(len(values)) // 24 % 2 == 1] *= 1.5
    first = [(level, peak) for peak, level in values[0].T.tolist()]
    reference = first_reference(tuple(first), 2.0)
    observed = [np.array(values[0] - reference.location)]
    for hour in values[1:]:
        for peak, level in hour.T.tolist():
            reference = reference._replace(hour=add_block(reference.hour, BlockSummary(0.0, 1.0, peak, level)))
        reference = end_hour(reference, PLAN)
        observed.append(hour)
        if reference.ready:
            break
        peaks, levels = np.sort(np.concatenate(observed, axis=1))[:, ::-1][:, :MAX_RANKED]
        ranked = reference.ranked_maxima()
        assert ranked.blocks == len(observed) * BLOCKS_PER_HOUR
        assert ranked.peaks == tuple(map(round_significant, peaks))
        assert ranked.levels == tuple(map(round_significant, levels))
    assert len(observed) == (READY_DAYS + 1) * 24


@pytest.mark.parametrize("days", [READY_DAYS - 1, READY_DAYS, READY_DAYS + 1])
def test_a_day_stores_few_values_and_while_calibrating_all_that_are_ranked(days: int) -> None:
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


def test_until_seven_days_are_observed_limits_are_those_of_three_times_the_budget() -> None:
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


def calibrating_state() -> BlockState:
    """Two hours and ten minutes old."""
    state, decisions = apply_scores(RULE.begin(), gaussian(7_800, 5))
    assert not any(opened(decisions))
    return state


def reference_of(state: BlockState) -> Reference:
    assert state.reference is not None
    return state.reference


def test_a_short_episode_enters_with_its_hour_clipped() -> None:
    before = calibrating_state()
    observed = reference_of(before).ranked_maxima()
    state, decisions = apply_scores(before, [30.0, *gaussian(300, 6)])
    entered = state.episodes.closed[-1].entered_peak

    assert opened(decisions) == [0]
    assert entered is not None
    assert entered == round_significant(chance_ceiling(observed.peaks, observed.blocks, PEAK_INDEX_PRIOR))
    assert reference_of(state).hour.peaks[0] == entered
    assert state.limits.peak == before.limits.peak
    after, _ = apply_scores(state, gaussian(3_600, 7))
    assert reference_of(after).today.peaks[0] == entered
    assert after.limits.peak > before.limits.peak


def test_the_first_episode_of_a_lasting_fault_is_discarded() -> None:
    before = calibrating_state()
    state, first = apply_scores(before, [30.0, *gaussian(60, 6)])
    entered = state.episodes.closed[-1].entered_peak
    state, fault = apply_scores(state, [6.0 + score for score in gaussian(600, 7)])
    state, _ = apply_scores(state, gaussian(600, 8))

    assert opened(first)
    assert entered is not None
    assert opened(fault)
    assert state.episodes.current is None
    assert reference_of(state).ranked_maxima() == reference_of(before).ranked_maxima()
    assert [past.entered_peak for past in state.episodes.closed] == [None, None]
    later, _ = apply_scores(state, gaussian(7_200, 9))
    assert reference_of(later).today.blocks > reference_of(before).today.blocks
    assert entered not in reference_of(later).today.peaks


def test_a_real_alarm_is_withdrawn_from_the_current_hour() -> None:
    before = calibrating_state()
    state, decisions = apply_scores(before, [30.0, *gaussian(60, 6)])
    real = apply_judgement(RULE, state, decisions[0].episode, "real")

    assert reference_of(state).hour.peaks[0] > before.limits.peak / 1.5
    assert reference_of(real).hour.peaks == reference_of(before).hour.peaks
    assert real.episodes.closed[-1].entered_peak is None


def test_a_false_alarm_enters_at_once_unclipped() -> None:
    state, decisions = apply_scores(calibrating_state(), [30.0, *gaussian(60, 6)])
    false = apply_judgement(RULE, state, decisions[0].episode, "false-alarm")
    peak = state.episodes.closed[-1].peak

    assert peak is not None
    assert reference_of(false).today.peaks[0] == round_significant(peak)
    assert reference_of(false).hour.peaks == reference_of(calibrating_state()).hour.peaks
    assert false.limits.peak > state.limits.peak


def test_a_false_alarm_still_counts_once_the_device_is_ready() -> None:
    state = ready_state(days=READY_DAYS - 1)
    state, decisions = apply_scores(state, [30.0, *gaussian(60, 6)])
    reference = reference_of(apply_judgement(RULE, state, decisions[0].episode, "false-alarm"))
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
def test_feedback_on_a_discarded_episode_withdraws_no_other_value(judgement: Judgement) -> None:
    state, first = apply_scores(calibrating_state(), [30.0, *gaussian(60, 6)])
    state, _ = apply_scores(state, [6.0 + score for score in gaussian(600, 7)])
    state, _ = apply_scores(state, gaussian(600, 8))
    state, second = apply_scores(state, [30.0, *gaussian(60, 9)])
    (entered,) = (past.entered_peak for past in state.episodes.closed if past.entered_peak is not None)

    assert opened(first)
    assert opened(second) == [0]
    assert entered in reference_of(state).hour.peaks
    after = apply_judgement(RULE, state, first[0].episode, judgement)
    assert entered in reference_of(after).hour.peaks
