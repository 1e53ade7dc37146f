"""While calibrating, one outlier hour is left out: single events in it would otherwise enter the reference."""

from __future__ import annotations

import json

import numpy as np
import pytest

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import dump, load
from processors.core.threshold.budget import BLOCKS_PER_HOUR, READY_DAYS, budget_plan
from processors.core.threshold.limits import NO_PRIOR, limits_of
from processors.core.threshold.reference import BlockSummary, Reference, add_block, end_hour, first_reference
from processors.core.threshold.reference_update import enter_episode

from .scores import apply_scores, gaussian, opened, ready_state

PLAN = budget_plan(1.0)


def hour(reference: Reference, seed: int, loud: int = 0) -> Reference:
    """One hour later, ``loud`` of its blocks being far louder than the others."""
    rng = np.random.default_rng(seed)
    for number in range(BLOCKS_PER_HOUR):
        peak = rng.gumbel(8.0, 1.0) + (12.0 if number < loud else 0.0)
        block = BlockSummary(rng.normal(scale=0.1), 1.0, peak, rng.uniform(0.0, 0.3))
        reference = reference._replace(hour=add_block(reference.hour, block))
    return end_hour(reference, PLAN)


def calibrating_reference(hours: int) -> Reference:
    """A device in its first week, as many hours after the first."""
    rng = np.random.default_rng(1)
    reference = first_reference(
        tuple(zip(rng.normal(scale=0.1, size=60).tolist(), rng.gumbel(8.0, 1.0, 60).tolist(), strict=True)), 1.0
    )
    for seed in range(hours):
        reference = hour(reference, seed)
    return reference


def test_similar_hours_all_enter() -> None:
    reference = calibrating_reference(100)

    assert not reference.outlier_left_out
    assert reference.blocks == 101 * BLOCKS_PER_HOUR


@pytest.mark.parametrize(
    ("hours", "loud", "outlier_left_out"), [(0, 19, False), (0, 20, True), (9, 5, False), (9, 7, True)]
)
def test_an_hour_with_implausibly_many_record_blocks_is_left_out(hours: int, loud: int, outlier_left_out: bool) -> None:
    before = calibrating_reference(hours)
    after = hour(before, 1_000, loud)

    assert after.outlier_left_out == outlier_left_out
    assert after.blocks == before.blocks + (0 if outlier_left_out else BLOCKS_PER_HOUR)
    if outlier_left_out:
        assert limits_of(after, PLAN, NO_PRIOR) == limits_of(before, PLAN, NO_PRIOR)


@pytest.mark.parametrize(("alarms", "outlier_left_out"), [(2, False), (3, True)])
def test_episodes_count_as_record_blocks_of_their_hour(alarms: int, outlier_left_out: bool) -> None:
    before = alarmed = calibrating_reference(5 * 24)
    for _ in range(alarms):
        alarmed, peak, _ = enter_episode(alarmed, PLAN, 100.0, None, clipped=True)
        assert peak is not None
        assert peak > before.ranked_maxima().peaks[0]
    after = hour(alarmed, 1_000)

    assert after.outlier_left_out == outlier_left_out
    assert (limits_of(after, PLAN, NO_PRIOR).peak > limits_of(before, PLAN, NO_PRIOR).peak) == (not outlier_left_out)


def test_the_second_outlier_hour_enters() -> None:
    once = hour(calibrating_reference(9), 1_000, 25)
    twice = hour(once, 1_001, 25)

    assert once.outlier_left_out
    assert twice.blocks == once.blocks + BLOCKS_PER_HOUR
    assert twice.today.peaks[24] > 15.0


def test_a_ready_device_leaves_no_hour_out() -> None:
    ready = ready_state().reference
    assert ready is not None
    after = hour(ready, 1_000, 25)

    assert not after.outlier_left_out
    assert after.today.blocks == BLOCKS_PER_HOUR


def test_events_missed_for_an_hour_do_not_raise_the_threshold() -> None:
    rule, scores = BlockRule(PLAN), np.random.default_rng(4).standard_normal((14, 3_600))
    before, _ = apply_scores(rule.begin(), scores[:10].ravel(), rule)
    scores[10, 30::120] = np.linspace(4.0, 4.8, 30)
    state, missed = apply_scores(before, scores[10], rule)
    state, _ = apply_scores(state, scores[11:].ravel(), rule)

    assert not opened(missed)
    assert before.limits.reference_peaks[-1] < 4.0 < 4.8 < before.limits.peak
    assert state.limits.peak < 1.02 * before.limits.peak


def test_states_stored_without_the_newest_fields_are_read() -> None:
    state = ready_state()
    fields = json.loads(dump(state))
    fields[4] = fields[4][:12]

    assert load(json.dumps(fields)) == state


def test_an_hour_left_out_discards_what_its_episodes_entered() -> None:
    state = ready_state(days=READY_DAYS - 2)
    for seed in range(3):
        state, _ = apply_scores(state, [30.0, *gaussian(600, seed)])
    assert all(past.entered_peak is not None for past in state.episodes.closed)
    state, _ = apply_scores(state, gaussian(3_600, 9))

    assert len(state.episodes.closed) == 3
    assert state.reference is not None
    assert state.reference.outlier_left_out
    assert all(past.entered_peak is None for past in state.episodes.closed)
    assert state.reference.ranked_maxima().peaks[0] < 5.0
