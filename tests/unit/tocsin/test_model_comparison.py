"""Comparison of two models: pairing of windows, and counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.score import ModelRef, Score, ScoreExplanation, Stage
from tocsin.models.comparison import compare, paired, rank_correlation

A, B, C = (ModelRef(name="crafted", version=text, sha256=text * 64) for text in "abc")


EXPLANATION = ScoreExplanation(
    confirmed=0.1, level=0.0, level_threshold=None, p_value=0.5, reference_blocks=100, block=1,
    calibration_progress=1.0, false_alarms_per_week=1.0,
)  # fmt: skip


def score(
    start: int,
    value: float,
    model: ModelRef,
    stage: Stage,
    *,
    length: int = 200,
    limit: float | None = 0.5,
    device: str = "pump",
    session: str = "s",
) -> Score:
    return Score(
        device_id=device,
        detector="machine",
        session_id=session,
        first_sample=start,
        n_samples=length,
        sample_rate=100,
        captured_ns=start * 10_000_000,
        score=value,
        threshold=limit,
        exceeds=limit is not None and value > limit,
        threshold_state="ready",
        level_dbfs=-20.0,
        model=model,
        stage=stage,
    )


def both(values: list[tuple[float, float]], **where: str) -> list[Score]:
    champions = [score(100 * i, one, A, "champion", **where) for i, (one, _) in enumerate(values)]
    shadows = [score(100 * i, two, B, "shadow", **where) for i, (_, two) in enumerate(values)]
    return [*shadows, *reversed(champions)]


def test_the_same_windows_are_compared() -> None:
    scores = both([(0.1, 0.2), (0.9, 0.8), (0.9, 0.1), (0.2, 0.9), (0.3, 0.3)])
    unrelated = [score(0, 1.0, C, "champion"), score(0, 1.0, A, "shadow"), score(900, 1.0, A, "champion")]

    (pair,) = paired([*scores, *scores, *unrelated], A, B)
    found = compare([pair])

    assert [(one.first_sample, two.first_sample) for one, two in zip(pair.champion, pair.shadow, strict=True)] == [
        (start, start) for start in range(0, 500, 100)
    ]
    assert (found.devices, found.windows, found.hours) == (1, 5, pytest.approx(5 / 3_600))
    assert (found.both, found.champion_only, found.shadow_only, found.agreement) == (1, 1, 1, pytest.approx(0.6))


def test_windows_of_different_lengths_are_paired_by_their_middles() -> None:
    champions = [score(start, start / 1_000, A, "champion", length=200) for start in range(0, 2_000, 50)]
    shadows = [score(start, 0.0, B, "shadow", length=800) for start in range(0, 1_200, 400)]

    (pair,) = paired([*champions, *shadows], A, B)

    assert [one.first_sample for one in pair.champion] == [300, 700, 1_100]
    assert pair.seconds == pytest.approx(3 * 4.0)


def test_distant_windows_are_not_paired() -> None:
    assert paired([score(0, 0.0, A, "champion"), score(10_000, 0.0, B, "shadow")], A, B) == []
    assert paired([score(0, 0.0, A, "champion", session="x"), score(0, 0.0, B, "shadow", session="y")], A, B) == []
    assert paired([], A, B) == []


def test_ranks_are_computed_per_device() -> None:
    quiet = both([(0.1, 3.0), (0.2, 4.0), (0.3, 5.0)], device="quiet")
    loud = both([(10.1, 0.3), (10.2, 0.2), (10.3, 0.1)] * 3, device="loud")
    pairs = paired([*quiet, *loud], A, B)

    assert [pair.device_id for pair in pairs] == ["loud", "quiet"]
    assert compare(pairs).correlation == pytest.approx((3 * 1.0 - 9 * 1.0) / 12)
    assert compare(paired(both([(1.0, 2.0)] * 4), A, B)).correlation is None


def test_alarms_a_day() -> None:
    episodes = [0] * 6 + [1] * 4 + [0] * 6 + [2] * 4 + [0] * 3 + [3] * 3
    suppressed = {3: "budget"}
    scores = both([(0.1, 0.1)] * 26)
    champions = sorted((one for one in scores if one.stage == "champion"), key=lambda one: one.first_sample)
    explained = [
        one.model_copy(
            update={"explanation": EXPLANATION.model_copy(update={"episode": n, "suppressed": suppressed.get(n, "")})}
        )
        for one, n in zip(champions, episodes, strict=True)
    ]
    found = compare(paired([*explained, *(one for one in scores if one.stage == "shadow")], A, B))
    assert found.champion_alarms_a_day == pytest.approx(2 * 86_400 / 26)
    assert found.shadow_alarms_a_day == 0.0


def test_no_alarm_rate_without_a_threshold() -> None:
    scores = [score(0, 1.0, A, "champion"), score(0, 1.0, B, "shadow", limit=None)]
    found = compare(paired(scores, A, B))
    assert (found.champion_alarms_a_day, found.shadow_alarms_a_day) == (0.0, None)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=40), st.floats(0.1, 9.0), st.booleans())
def test_rank_correlation_does_not_depend_on_scales(values: list[int], scale: float, rising: bool) -> None:
    left = np.array(values, float)
    sign = 1.0 if rising else -1.0
    found = rank_correlation(left, sign * scale * left**3)
    assert found is None if np.ptp(left) == 0 else found == pytest.approx(sign)


def test_rank_correlation_against_a_manual_calculation() -> None:
    # d = 1, 1, 2, 1, 1 over five ranks: 1 - 6 * 8 / (5 * 24) = 0.6.
    left, right = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([2.0, 1.0, 5.0, 3.0, 4.0])
    assert rank_correlation(left, right) == pytest.approx(0.6)
    assert rank_correlation(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(0.75**0.5)
