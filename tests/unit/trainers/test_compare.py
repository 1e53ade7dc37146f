"""Model comparison, on scores only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schemas.manifest import Calibration
from trainers.evaluation.compare import (
    DeviceScores,
    Figures,
    TimedScores,
    Tolerance,
    align_windows,
    calibrated_threshold,
    figures_of,
    rejection_reasons,
)


def timed_scores(starts: list[float], length: float, scores: list[float]) -> TimedScores:
    return TimedScores(np.array(starts, dtype=np.float64), length, np.array(scores, dtype=np.float64))


def calibration(transfer: str) -> Calibration:
    return Calibration.model_validate(
        {"transfer": transfer, "threshold": 5.0, "spread": 0.5, "n": 10, "quantiles": {"0.5": 1.0}}
    )


def test_models_on_one_grid_are_compared_window_by_window() -> None:
    one, other = timed_scores([0, 1, 2], 2.0, [1, 2, 3]), timed_scores([0, 1, 2], 2.0, [4, 5, 6])

    ours, theirs = align_windows(one, other)

    assert ours.tolist() == [1, 2, 3]
    assert theirs.tolist() == [4, 5, 6]


@pytest.mark.parametrize("swapped", [False, True])
def test_shorter_windows_are_averaged_inside_longer_ones(swapped: bool) -> None:
    long = timed_scores([0.0, 4.0, 8.0], 4.0, [10, 20, 30])
    short = timed_scores([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 2.0, [1, 2, 3, 4, 5, 6, 7, 8])

    pair = align_windows(short, long)[::-1] if swapped else align_windows(long, short)

    # Inside 0 to 4 s lie the windows at 0, 1 and 2 s; inside 8 to 12 s none does.
    assert [one.tolist() for one in pair] == [[10, 20], [2, 6]]


def test_windows_of_one_length_on_two_grids_match_at_common_starts() -> None:
    one, other = timed_scores([0, 1, 2, 3], 2.0, [1, 2, 3, 4]), timed_scores([0, 2], 2.0, [5, 6])

    assert [scores.tolist() for scores in align_windows(one, other)] == [[1, 3], [5, 6]]


def test_an_empty_recording_has_no_windows_to_compare() -> None:
    ours, theirs = align_windows(timed_scores([], 4.0, []), timed_scores([0.0], 2.0, [1.0]))

    assert (len(ours), len(theirs)) == (0, 0)


def test_an_absolute_score_keeps_its_models_threshold() -> None:
    assert calibrated_threshold(calibration("absolute"), np.array([100.0, 200.0])) == 5.0
    assert calibrated_threshold(calibration("own"), np.array([100.0, 200.0])) == 5.0


def test_a_relative_threshold_is_six_deviations_above_the_devices_mean() -> None:
    assert calibrated_threshold(calibration("relative"), [8.0, 12.0]) == pytest.approx(10.0 + 6.0 * 2.0)
    assert calibrated_threshold(calibration("relative"), [10.0, 10.0]) == pytest.approx(10.0 + 6.0 * 0.5)


def device(normal: list[float], bad: list[float], real: tuple[float, ...] = (), name: str = "pump-1") -> DeviceScores:
    return DeviceScores(name, 4.0, 0.5, np.array(normal), {"leak -6 dB": np.array(bad)}, np.array(real))


def test_devices_have_equal_weight() -> None:
    devices = [
        device([1.0, 2.0, 3.0, 5.0], [4.5, 6.0], (9.0,)),
        device([1.0, 2.0], [0.0, 1.5, 3.0, 4.5], name="pump-2"),
    ]

    figures = figures_of(devices)

    assert figures.auc == {"leak -6 dB": pytest.approx((7 / 8 + 5 / 8) / 2, abs=1e-4)}
    assert figures.mean_auc == figures.auc["leak -6 dB"]
    assert figures.real_auc == 1.0
    assert figures.false_share == pytest.approx((1 / 4 + 0) / 2)
    assert figures.found_share == {"leak -6 dB": pytest.approx((1.0 + 1 / 4) / 2)}
    assert figures.normal_quantiles["1.0"] == pytest.approx((5.0 - 4.0) / 0.5)
    assert figures.windows == 6


def figures(mean_auc: float = 0.9, false_share: float = 0.01, real_auc: float | None = None) -> Figures:
    return Figures({"leak -6 dB": mean_auc}, mean_auc, real_auc, false_share, {"leak -6 dB": 0.5}, {"0.5": -4.0}, 100)


BETTER = figures(0.95, 0.0, 1.0)
TOLERANCE = Tolerance(auc=0.01, false_share=0.01, highest_false_share=0.05)


@pytest.mark.parametrize("candidate", [figures(), figures(0.8901), figures(false_share=0.0199), BETTER])
def test_a_candidate_within_the_tolerance_is_not_worse(candidate: Figures) -> None:
    assert rejection_reasons(candidate, figures(real_auc=1.0), TOLERANCE) == []


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (figures(0.88), "mean AUC 0.880 on generated anomalies, the champion's 0.900"),
        (figures(false_share=0.03), "3.00% of normal windows"),
        (figures(real_auc=0.9), "alerts judged real"),
        (figures(0.4), "no higher than normal"),
    ],
)
def test_a_candidate_beyond_the_tolerance_is_rejected_with_a_reason(candidate: Figures, reason: str) -> None:
    reasons = rejection_reasons(candidate, figures(real_auc=1.0), TOLERANCE)

    assert any(reason in one for one in reasons)


def test_without_a_champion_a_candidate_only_needs_plausible_figures() -> None:
    assert rejection_reasons(figures(0.6, 0.04), None, TOLERANCE) == []
    assert len(rejection_reasons(figures(0.5, 0.06), None, TOLERANCE)) == 2


def test_a_figure_missing_on_one_side_is_ignored() -> None:
    assert rejection_reasons(figures(real_auc=0.1), figures(real_auc=None), TOLERANCE) == []
    assert rejection_reasons(figures(real_auc=None), replace(BETTER, mean_auc=0.9), TOLERANCE) == []
