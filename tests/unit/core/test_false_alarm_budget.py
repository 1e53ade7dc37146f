"""The false-alarm budget and its arithmetic."""

from __future__ import annotations

import pytest

from processors.core.threshold.budget import BLOCKS_PER_DAY, BLOCKS_PER_WEEK, budget_plan, explain_budget
from processors.core.threshold.tail_extrapolation import (
    Rank,
    extrapolated_quantile,
    extreme_value_index,
    threshold_rank,
    weissman_quantile,
)
from schemas.errors import SettingsError


def test_the_default_budget_is_one_a_week_with_a_reserve() -> None:
    plan = budget_plan(1.0)

    assert plan.peak_rate * BLOCKS_PER_WEEK == pytest.approx(0.6)
    assert plan.level_rate * BLOCKS_PER_WEEK == pytest.approx(0.2)
    assert threshold_rank(plan.blocks, plan.peak_rate) == Rank(2, 1.0)


@pytest.mark.parametrize("per_week", [0.23, 1.0, 7.0, 28.0])
def test_the_rank_never_exceeds_the_budget(per_week: float) -> None:
    plan = budget_plan(per_week)
    for blocks in (plan.blocks, plan.blocks + BLOCKS_PER_DAY // 2):
        rank = threshold_rank(blocks, plan.peak_rate)

        assert rank.k / (blocks + 1) / rank.extrapolation <= plan.peak_rate * 1.0001
        assert rank.k <= plan.maxima_per_day * plan.days / 3


def test_without_levels_peaks_have_their_share() -> None:
    plan = budget_plan(1.0, sustained=False)

    assert plan.level_rate == 0.0
    assert plan.peak_rate * BLOCKS_PER_WEEK == pytest.approx(0.8)
    assert plan.calibration_allowance == 1.0


def test_a_budget_no_reference_can_keep_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(SettingsError, match=r"n \+ 1 = 80,641: .* times too often. Choose at least"):
        budget_plan(1.0 / 52.0)


@pytest.mark.parametrize("per_week", [0.0, -1.0, float("nan"), float("inf"), 1_000.0])
def test_an_invalid_budget_is_refused(per_week: float) -> None:
    with pytest.raises(SettingsError, match="false alarms a week"):
        budget_plan(per_week)


def test_the_arithmetic_is_explained_in_sentences() -> None:
    complete = "\n".join(explain_budget(budget_plan(1.0)))
    calibrating = "\n".join(explain_budget(budget_plan(1.0), 1_440))

    assert "k = floor(5.95e-05 x 34,561) = 2" in complete
    assert "20% is reserved" in complete
    assert "until 7 days are observed 3 times as many, 3 a week" in complete
    assert "peak: 60% of them" in calibrating
    assert "0.000179 x 1,441 = 0.257 is less than 1" in calibrating
    assert "3.9 times rarer" in calibrating
    assert "11.7 times rarer" in calibrating


@pytest.mark.parametrize(("per_week", "times"), [(0.23, 3.0), (1.0, 3.0), (1.5, 2.0), (3.0, 1.0), (7.0, 1.0)])
def test_while_calibrating_three_times_the_budget_is_allowed_and_three_a_week(per_week: float, times: float) -> None:
    assert budget_plan(per_week).calibration_allowance == times
    assert ("until 7 days are observed" in "\n".join(explain_budget(budget_plan(per_week)))) == (times > 1.0)


def test_too_few_values_are_extrapolated_and_enough_are_not() -> None:
    maxima = [10.0 / i**0.5 for i in range(1, 30)]

    assert weissman_quantile(maxima, Rank(2, 1.0), 0.3) == maxima[1]
    assert weissman_quantile(maxima, Rank(1, 8.0), 0.5) == pytest.approx(10.0 * 8.0**0.5)


def test_the_index_is_that_of_a_pareto_distribution() -> None:
    n = 4_000
    maxima = [(n / i) ** 0.25 for i in range(1, 26)]

    assert extreme_value_index(maxima, n, 0.25, 3.0) == pytest.approx(0.25, rel=0.35)
    assert extreme_value_index(maxima[:1], 1, 0.2, 3.0) == 0.2


def test_a_threshold_is_extrapolated_from_the_largest_and_from_the_tails_smallest() -> None:
    maxima = [100.0 * i**-0.25 for i in range(1, 26)]
    assert extrapolated_quantile(maxima, 1_440, 8.0, 0.25) == pytest.approx(100.0 * 8.0**0.25)
    # A largest value twice as large raises the threshold by the root of two, and a closer quantile by more.
    outlier = [200.0, *maxima[1:]]
    assert extrapolated_quantile(outlier, 1_440, 8.0, 0.25) == pytest.approx(100.0 * 8.0**0.25 * 2.0**0.5)
    assert extrapolated_quantile(outlier, 1_440, 50.0, 0.25) == pytest.approx(100.0 * 50.0**0.25 * 2.0**0.5)
    assert extrapolated_quantile(outlier, 1_440, 2.0, 0.25) == pytest.approx(100.0 * 2.0**0.25 * 2.0 ** (5.0 / 6.0))
    assert extrapolated_quantile(outlier, 1_440, 1.0, 0.25) == 200.0
    # Never below the largest, and from the largest alone where there is no tail.
    assert extrapolated_quantile([1e6, *maxima[1:]], 1_440, 8.0, 0.25) == 1e6
    assert extrapolated_quantile([3.0, -1.0], 60, 8.0, 0.25) == pytest.approx(3.0 * 8.0**0.25)
    assert extrapolated_quantile([-3.0, -4.0], 60, 8.0, 0.25) == -3.0
