"""The one setting and its arithmetic."""

from __future__ import annotations

import pytest

from processors.core.threshold.budget import BLOCKS_PER_DAY, BLOCKS_PER_WEEK, explain, plan
from processors.core.threshold.tail_extrapolation import Rank, extrapolated_quantile, quantile, rank, tail_index
from schemas.errors import SettingsError


def test_the_default_promise_is_one_a_week_with_a_share_kept_back() -> None:
    chosen = plan(1.0)

    assert chosen.peak_rate * BLOCKS_PER_WEEK == pytest.approx(0.6)
    assert chosen.level_rate * BLOCKS_PER_WEEK == pytest.approx(0.2)
    assert rank(chosen.blocks, chosen.peak_rate) == Rank(2, 1.0)


@pytest.mark.parametrize("per_week", [0.23, 1.0, 7.0, 28.0])
def test_the_rank_never_spends_more_than_the_promise(per_week: float) -> None:
    chosen = plan(per_week)
    for blocks in (chosen.blocks, chosen.blocks + BLOCKS_PER_DAY // 2):
        place = rank(blocks, chosen.peak_rate)

        assert place.k / (blocks + 1) / place.beyond <= chosen.peak_rate * 1.0001
        assert place.k <= chosen.tops * chosen.days / 3


def test_without_levels_peaks_have_their_share() -> None:
    chosen = plan(1.0, sustained=False)

    assert chosen.level_rate == 0.0
    assert chosen.peak_rate * BLOCKS_PER_WEEK == pytest.approx(0.8)
    assert chosen.learning == 1.0


def test_a_promise_no_memory_can_keep_is_refused_with_the_sum() -> None:
    with pytest.raises(SettingsError, match=r"n \+ 1 = 80,641: .* times too often.*least that can be promised"):
        plan(1.0 / 52.0)


@pytest.mark.parametrize("per_week", [0.0, -1.0, float("nan"), float("inf"), 1_000.0])
def test_a_promise_that_is_none_is_refused(per_week: float) -> None:
    with pytest.raises(SettingsError, match="sensitivity"):
        plan(per_week)


def test_the_arithmetic_is_told_in_sentences() -> None:
    whole = "\n".join(explain(plan(1.0)))
    learning = "\n".join(explain(plan(1.0), 1_440))

    assert "k = floor(5.95e-05 x 34,561) = 2" in whole
    assert "20% is kept back" in whole
    assert "until 7 days are heard 3 times as many, 3 a week" in whole
    assert "peak: 60% of them" in learning
    assert "0.000179 x 1,441 = 0.257 is less than 1" in learning
    assert "3.9 times rarer" in learning
    assert "11.7 times rarer" in learning


@pytest.mark.parametrize(("per_week", "times"), [(0.23, 3.0), (1.0, 3.0), (1.5, 2.0), (3.0, 1.0), (7.0, 1.0)])
def test_while_learning_three_times_the_promise_are_allowed_and_three_a_week(per_week: float, times: float) -> None:
    assert plan(per_week).learning == times
    assert ("until 7 days are heard" in "\n".join(explain(plan(per_week)))) == (times > 1.0)


def test_too_few_values_are_extrapolated_and_enough_are_not() -> None:
    tops = [10.0 / i**0.5 for i in range(1, 30)]

    assert quantile(tops, Rank(2, 1.0), 0.3) == tops[1]
    assert quantile(tops, Rank(1, 8.0), 0.5) == pytest.approx(10.0 * 8.0**0.5)


def test_the_tails_index_is_that_of_a_pareto_law() -> None:
    n = 4_000
    tops = [(n / i) ** 0.25 for i in range(1, 26)]

    assert tail_index(tops, n, 0.25, 3.0) == pytest.approx(0.25, rel=0.35)
    assert tail_index(tops[:1], 1, 0.2, 3.0) == 0.2


def test_a_threshold_is_foretold_from_the_largest_and_from_farther_in() -> None:
    tops = [100.0 * i**-0.25 for i in range(1, 26)]
    assert extrapolated_quantile(tops, 1_440, 8.0, 0.25) == pytest.approx(100.0 * 8.0**0.25)
    # A largest value that is twice as far off moves the threshold by the root of two, and by more what lies closer.
    odd = [200.0, *tops[1:]]
    assert extrapolated_quantile(odd, 1_440, 8.0, 0.25) == pytest.approx(100.0 * 8.0**0.25 * 2.0**0.5)
    assert extrapolated_quantile(odd, 1_440, 50.0, 0.25) == pytest.approx(100.0 * 50.0**0.25 * 2.0**0.5)
    assert extrapolated_quantile(odd, 1_440, 2.0, 0.25) == pytest.approx(100.0 * 2.0**0.25 * 2.0 ** (5.0 / 6.0))
    assert extrapolated_quantile(odd, 1_440, 1.0, 0.25) == 200.0
    # Never below the largest, and from the largest alone where nothing else tells of the tail.
    assert extrapolated_quantile([1e6, *tops[1:]], 1_440, 8.0, 0.25) == 1e6
    assert extrapolated_quantile([3.0, -1.0], 60, 8.0, 0.25) == pytest.approx(3.0 * 8.0**0.25)
    assert extrapolated_quantile([-3.0, -4.0], 60, 8.0, 0.25) == -3.0
