"""Progress bars are shown on a terminal only."""

from __future__ import annotations

import threading

import pytest
from rich.console import Console

from trainers.progress import bar, track


def test_without_a_terminal_nothing_is_drawn_and_no_thread_starts(capsys: pytest.CaptureFixture[str]) -> None:
    threads = threading.active_count()
    for place in track(range(3), "counting"):
        assert threading.active_count() == threads
        assert place in (0, 1, 2)
    with bar() as drawn:
        drawn.add_task("counting", total=3)
    assert capsys.readouterr() == ("", "")


def test_a_loop_ended_by_an_error_does_not_block_the_next() -> None:
    kept = []
    for _ in range(20):
        items = iter(track(range(3), "counting"))
        next(items)
        # As a traceback keeps the loop it went through.
        kept.append(items)
    assert list(track(range(3), "counting")) == [0, 1, 2]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Console, "is_terminal", True)


def test_on_a_terminal_it_is_on_standard_error(capsys: pytest.CaptureFixture[str], terminal: None) -> None:
    assert list(track(range(3), "counting", done=2)) == [0, 1, 2]
    drawn = capsys.readouterr()
    assert "counting" in drawn.err
    assert drawn.out == ""
    assert list(track(range(3), "counting", shown=False)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
