"""The nearest-neighbour score, on rows of known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.errors import TooLittleSound
from trainers.evaluation.metrics import auc
from trainers.recipes.knn import neighbours
from trainers.recipes.knn.neighbours import fit, held_out_scores

D = 12


def normal_rows(seed: int, n: int) -> np.ndarray:
    """Two columns move together; the others are alone, in units of their own."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (n, D))
    rows[:, 1] = rows[:, 0] + rng.normal(0, 0.05, n)
    return rows * np.geomspace(1e-3, 1e3, D) - 40.0


def slow_rows(n: int, length: int) -> np.ndarray:
    """Windows of ``length`` rows that overlap: moving averages."""
    raw = normal_rows(1, n + length - 1)
    return np.lib.stride_tricks.sliding_window_view(raw, length, axis=0).mean(axis=2)


def test_unusual_combinations_score_high_though_each_column_is_usual() -> None:
    scorer = fit(normal_rows(0, 300), np.arange(300), 1)
    fresh, broken = normal_rows(5, 200), normal_rows(5, 200)
    broken[:, 1] = 2.0 * broken[:, 1].mean() - broken[:, 1]

    assert auc(scorer.score(fresh), scorer.score(broken)) > 0.95


def test_units_of_columns_do_not_matter() -> None:
    rows, fresh = normal_rows(0, 100), normal_rows(1, 20)
    units = np.geomspace(1e-4, 1e4, D)

    there = fit(rows * units, np.arange(100), 1).score(fresh * units)

    np.testing.assert_allclose(there, fit(rows, np.arange(100), 1).score(fresh), atol=1e-6)


def test_sparse_regions_are_as_normal_as_dense_ones() -> None:
    rng = np.random.default_rng(3)
    wide = (np.arange(400) % 2)[:, None] * 4.0 + 1.0
    scorer = fit(rng.normal(0, 1, (400, D)) * wide + 20.0 * wide, np.arange(400), 1)
    dense = scorer.score(rng.normal(0, 1, (100, D)) + 20.0)
    sparse = scorer.score(rng.normal(0, 1, (100, D)) * 5.0 + 100.0)

    # Without the neighbours' own distance the gap is that of the spreads, 14 dB.
    assert 0.0 < np.median(sparse) - np.median(dense) < 6.0


def test_held_out_scores_are_those_of_new_sound_and_training_scores_are_not() -> None:
    rows, fresh = slow_rows(300, 10), slow_rows(600, 10)[400:]
    starts = np.arange(300)
    scorer = fit(rows, starts, 10)
    held_out = np.median(held_out_scores(rows, starts, 10))

    assert np.median(scorer.score(rows)) < held_out - 2.0
    assert abs(np.median(scorer.score(fresh)) - held_out) < 2.0


def test_windows_that_share_sound_count_less_than_windows_that_do_not() -> None:
    rows = normal_rows(0, 60)
    apart, shared = fit(rows, 10 * np.arange(60), 10), fit(rows, np.arange(60), 10)
    # The covariance of six windows' worth of sound is shrunk more than that of sixty: correlations are whitened less.
    assert np.linalg.cond(shared.whitening / rows.std(axis=0)[:, None] ** -1) < np.linalg.cond(
        apart.whitening / rows.std(axis=0)[:, None] ** -1
    )


def test_a_constant_column_has_the_floor_for_its_deviation() -> None:
    rows = normal_rows(0, 100)
    rows[:, 3] = 7.0
    moved = rows[:1] + np.eye(D)[3] * 0.05

    strict, lenient = fit(rows, np.arange(100), 1), fit(rows, np.arange(100), 1, floor=0.5)

    assert strict.score(moved)[0] > strict.score(rows[:1])[0] + 20.0
    assert lenient.score(moved)[0] < lenient.score(rows[:1])[0] + 20.0


@pytest.mark.parametrize("windows", [0, 3, 30])
def test_too_little_sound_is_refused(windows: int) -> None:
    with pytest.raises(TooLittleSound, match="at least 4"):
        fit(normal_rows(0, windows), np.arange(windows), 10)


def test_windows_that_share_sound_are_not_neighbours() -> None:
    """Otherwise every reference's own distance would be that of one row."""
    rows, starts = slow_rows(300, 10), np.arange(300)
    scorer = fit(rows, starts, 10)
    own = scorer.weight ** (-1 / 0.75)
    alone = fit(rows[::10], starts[::10], 10)

    assert np.median(own) > 0.5 * np.median(alone.weight ** (-1 / 0.75))


def test_no_sound_is_on_both_sides_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted_to = []

    def fit_and_record(rows: Any, start: Any, length: Any, floor: float) -> Any:
        fitted_to.append(start)
        return fit(rows, start, length, floor)

    monkeypatch.setattr(neighbours, "fit", fit_and_record)
    held_out_scores(slow_rows(500, 20), np.arange(500), 20)

    second = fitted_to[1]
    assert second[second < 100].max() == 80
    assert second[second >= 100].min() == 219


def test_sound_that_repeats_itself_exactly_leaves_scores_finite_and_new_sound_anomalous() -> None:
    loop = np.tile(slow_rows(60, 10), (10, 1))
    held_out = held_out_scores(loop, np.arange(600), 10)
    scorer = fit(loop, np.arange(600), 10)

    assert np.ptp(held_out) < 10.0
    assert np.median(scorer.score(slow_rows(400, 10)[100:])) > np.median(held_out) + 6.0
