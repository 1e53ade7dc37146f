"""Faults, drift and cycles laid over normal scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.thresholds.laws import DAY, SD, Scores, days
from benchmarks.thresholds.serve import serve
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState
from processors.core.threshold.limits import Limits

HOUR = 3_600


@dataclass
class Outcome:
    """What became of one device.

    Attributes:
        opened: second at which each alert opened.
        closed: the same for its end.
        kinds: what exceeded when it opened.
        drifts: seconds of drift notices.
        limits: thresholds at the end of each day.
    """

    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    drifts: list[int] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)

    def a_day(self, n: int) -> Scores:
        """Alerts opened on each of ``n`` days."""
        return np.bincount(np.array(self.opened, dtype=np.int64) // DAY, minlength=n)[:n].astype(np.float64)

    def open_share(self, start: int, length: int) -> float:
        """Share of a stretch during which an alert was open."""
        closed = [*self.closed, *[start + length] * (len(self.opened) - len(self.closed))]
        inside = [
            max(0, min(end, start + length) - max(begin, start)) for begin, end in zip(self.opened, closed, strict=True)
        ]
        return sum(inside) / length


def play(
    rule: BlockRule, law: str, seed: tuple[int, ...], n: int, overlay: Callable[[int, Scores], Scores] | None = None
) -> Outcome:
    """``n`` days of one device; ``overlay`` changes the scores of a day, given its number."""
    outcome, state = Outcome(), rule.begin()
    for day, scores in enumerate(days(law, seed, n)):
        state = hear(rule, state, outcome, day * DAY, scores if overlay is None else overlay(day, scores))
    return outcome


def hear(rule: BlockRule, state: BlockState, outcome: Outcome, start: int, scores: Scores) -> BlockState:
    """Adds a stretch of scores that begins at second ``start`` to an outcome."""
    state, events = serve(rule, state, scores)
    for at, decision in events:
        if decision.alert == "opens":
            outcome.opened.append(start + at)
            outcome.kinds.append(decision.kind)
        elif decision.alert == "closes":
            outcome.closed.append(start + at)
        if decision.drift_to_report:
            outcome.drifts.append(start + at)
    outcome.limits.append(state.limits)
    return state


def storm(law: str, start: int, length: int = 1_800, size: float = 4.0) -> Callable[[int, Scores], Scores]:
    """Every score of a stretch raised by ``size`` standard deviations; ``start`` in seconds since the beginning."""

    def overlay(day: int, scores: Scores) -> Scores:
        first, last = np.clip([start - day * DAY, start + length - day * DAY], 0, len(scores))
        raised = scores.copy()
        raised[first:last] += size * SD[law]
        return raised

    return overlay


def drift(law: str, begin: int, n: int = 5, a_day: float = 1.5) -> Callable[[int, Scores], Scores]:
    """A level that rises evenly for ``n`` days from day ``begin`` and stays."""

    def overlay(day: int, scores: Scores) -> Scores:
        seconds = day * DAY + np.arange(len(scores))
        return scores + a_day * SD[law] * np.clip((seconds - begin * DAY) / DAY, 0.0, n)

    return overlay


def cycle(law: str, size: float = 1.0) -> Callable[[int, Scores], Scores]:
    """A daily cycle of the level of +- ``size`` standard deviations."""

    def overlay(_: int, scores: Scores) -> Scores:
        return scores + size * SD[law] * np.sin(2.0 * np.pi * np.arange(len(scores)) / DAY)

    return overlay
