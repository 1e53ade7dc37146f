"""Metrics against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.evaluation.metrics import auc, below_normal, confirmed, f1, quantiles_of, threshold_for


def test_auc_counts_pairs_and_halves_ties() -> None:
    assert auc([0.0, 1.0], [2.0, 3.0]) == 1.0
    assert auc([2.0, 3.0], [0.0, 1.0]) == 0.0
    assert auc([0.0, 1.0, 2.0, 3.0], [1.0]) == pytest.approx(1.5 / 4)


def test_f1_by_hand() -> None:
    labels = np.array([True, True, True, False])
    called = np.array([True, True, False, True])
    assert f1(labels, called) == pytest.approx(2 * 2 / (3 + 3))


def test_confirmed_is_the_second_of_three_neighbours() -> None:
    scores = np.array([0, 9, 0, 0, 5, 4, 0], dtype=np.float32)
    assert confirmed(scores, 2, 3) == 4.0
    assert confirmed(np.array([7, 1], dtype=np.float32), 2, 3) == 1.0
    assert confirmed(np.array([7], dtype=np.float32), 2, 3) == -np.inf


def test_the_threshold_is_in_the_middle_if_both_limits_can_be_met() -> None:
    screams, others = np.array([5.0, 6.0, 7.0]), np.array([0.0, 1.0])
    assert threshold_for(screams, others, 0.0, 1.0) == 3.0


def test_false_positives_decide_if_both_limits_cannot_be_met() -> None:
    screams, others = np.array([0.5, 6.0]), np.array([0.0, 1.0, 2.0, 3.0])
    threshold = threshold_for(screams, others, 0.25, 1.0)
    assert np.mean(others > threshold) == 0.25
    assert np.mean(screams > threshold) == 0.5


def test_quantiles_are_named_by_probability() -> None:
    quantiles = quantiles_of(np.arange(101.0))
    assert quantiles["0.5"] == 50.0
    assert quantiles["0.99"] == 99.0


def test_groups_that_score_below_normal_sound_are_listed() -> None:
    scores = {"normal": [1.0, 2.0], "leak": [0.5, 1.5], "rub": [1.0, 3.0], "bearing": [1.5, 1.6]}
    assert below_normal(scores) == {"leak": 0.25}
    assert below_normal({}) == {}
