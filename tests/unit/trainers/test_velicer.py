"""The number of components, where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.recipes.iaia.velicer import components_by_map


@pytest.mark.parametrize("factors", [1, 2, 4])
def test_as_many_components_as_there_are_factors(factors: int) -> None:
    rng = np.random.default_rng(factors)
    loadings = np.kron(np.eye(factors), np.ones((1, 6)))
    rows = rng.standard_normal((600, factors)) @ loadings + 0.4 * rng.standard_normal((600, 6 * factors))
    assert components_by_map(rows) == factors


def test_a_constant_column_is_accepted() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 5))
    rows[:, 2] = 1.0
    assert 1 <= components_by_map(rows) <= 4


def test_no_more_than_asked_for_are_tried() -> None:
    rows = np.random.default_rng(1).standard_normal((40, 30))
    assert components_by_map(rows, max_components=3) <= 3
