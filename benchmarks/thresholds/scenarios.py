"""Faults, drift and daily cycles added to normal scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.thresholds.distributions import DAY, SD, Scores, days
from benchmarks.thresholds.rule_run import run_rule
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState
from processors.core.threshold.limits import Limits

HOUR = 3_600


@dataclass
class SimulationResult:
    """Alerts and notices of one simulated device.

    Attributes:
        opened: second at which each alert opened.
        closed: second at which each alert closed.
        kinds: which threshold was exceeded when it opened, ``peak`` or ``level``.
        drifts: seconds of drift notices.
        limits: thresholds at the end of each day.
    """

    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    drifts: list[int] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)

    def alerts_per_day(self, n: int) -> Scores:
        """Alerts opened on each of ``n`` days."""
        return np.bincount(np.array(self.opened, dtype=np.int64) // DAY, minlength=n)[:n].astype(np.float64)

    def open_share(self, start: int, length: int) -> float:
        """Share of an interval during which an alert was open."""
        closed = [*self.closed, *[start + length] * (len(self.opened) - len(self.closed))]
        inside = [
            max(0, min(end, start + length) - max(begin, start)) for begin, end in zip(self.opened, closed, strict=True)
        ]
        return sum(inside) / length


def simulate(
    rule: BlockRule,
    distribution: str,
    seed: tuple[int, ...],
    n: int,
    overlay: Callable[[int, Scores], Scores] | None = None,
) -> SimulationResult:
    """Simulates one device for ``n`` days; ``overlay`` changes the scores of a day, given its number."""
    result, state = SimulationResult(), rule.begin()
    for day, scores in enumerate(days(distribution, seed, n)):
        state = observe(rule, state, result, day * DAY, scores if overlay is None else overlay(day, scores))
    return result


def observe(rule: BlockRule, state: BlockState, result: SimulationResult, start: int, scores: Scores) -> BlockState:
    """Runs the rule over scores that begin at second ``start`` and adds its alerts to ``result``."""
    state, events = run_rule(rule, state, scores)
    for at, decision in events:
        if decision.alert == "opens":
            result.opened.append(start + at)
            result.kinds.append(decision.kind)
        elif decision.alert == "closes":
            result.closed.append(start + at)
        if decision.drift_to_report:
            result.drifts.append(start + at)
    result.limits.append(state.limits)
    return state


def sustained_fault(
    distribution: str, start: int, length: int = 1_800, size: float = 4.0
) -> Callable[[int, Scores], Scores]:
    """Raises every score of an interval by ``size`` standard deviations; ``start`` in seconds since the beginning."""

    def overlay(day: int, scores: Scores) -> Scores:
        first, last = np.clip([start - day * DAY, start + length - day * DAY], 0, len(scores))
        raised = scores.copy()
        raised[first:last] += size * SD[distribution]
        return raised

    return overlay


def drift(distribution: str, begin: int, n: int = 5, per_day: float = 1.5) -> Callable[[int, Scores], Scores]:
    """A level that rises by ``per_day`` standard deviations for ``n`` days from day ``begin`` and stays."""

    def overlay(day: int, scores: Scores) -> Scores:
        seconds = day * DAY + np.arange(len(scores))
        return scores + per_day * SD[distribution] * np.clip((seconds - begin * DAY) / DAY, 0.0, n)

    return overlay


def cycle(distribution: str, size: float = 1.0) -> Callable[[int, Scores], Scores]:
    """A daily cycle of the level of +- ``size`` standard deviations."""

    def overlay(_: int, scores: Scores) -> Scores:
        return scores + size * SD[distribution] * np.sin(2.0 * np.pi * np.arange(len(scores)) / DAY)

    return overlay
