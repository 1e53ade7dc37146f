"""The watchdog's rule."""

from __future__ import annotations

from processors.app.watchdog import StallDetector


def test_work_that_waits_too_long_without_any_being_done_is_a_stall() -> None:
    detector = StallDetector(stall_s=100.0)

    stalled = [detector.is_stalled(0, behind=True, now=float(now)) for now in (0, 50, 100, 101)]

    assert stalled == [False, False, False, True]


def test_any_handled_batch_restarts_the_wait() -> None:
    detector = StallDetector(stall_s=100.0)
    detector.is_stalled(0, behind=True, now=0.0)

    assert [detector.is_stalled(1, behind=True, now=float(now)) for now in (90, 180, 191)] == [False, False, True]


def test_without_work_there_is_no_stall() -> None:
    detector = StallDetector(stall_s=100.0)

    assert not any(detector.is_stalled(0, behind=False, now=float(now)) for now in range(0, 1_000, 10))
    assert not detector.is_stalled(0, behind=True, now=1_050.0)
