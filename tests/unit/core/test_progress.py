"""The watchdog's rule."""

from __future__ import annotations

from processors.app.progress import Progress


def test_work_that_waits_too_long_without_any_being_done_is_a_stall() -> None:
    progress = Progress(stall_s=100.0)

    assert [progress.stalled(behind=True, now=float(now)) for now in (0, 50, 100, 101)] == [False, False, False, True]


def test_any_batch_restarts_the_wait() -> None:
    progress = Progress(stall_s=100.0)
    progress.stalled(behind=True, now=0.0)
    progress.handled += 1

    assert [progress.stalled(behind=True, now=float(now)) for now in (90, 180, 191)] == [False, False, True]


def test_without_work_there_is_no_stall() -> None:
    progress = Progress(stall_s=100.0)

    assert not any(progress.stalled(behind=False, now=float(now)) for now in range(0, 1_000, 10))
    assert not progress.stalled(behind=True, now=1_050.0)
