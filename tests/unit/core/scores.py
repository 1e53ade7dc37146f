"""Scores for tests of the block rule, one a second, and the state of a ready device."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState, Decision
from processors.core.threshold.budget import BLOCKS_PER_DAY, budget_plan
from processors.core.threshold.reference import BlockMaxima, Reference

SECOND = 1_000_000_000
RULE = BlockRule(budget_plan(1.0))


def gaussian(n: int, seed: int = 1) -> list[float]:
    return np.random.default_rng(seed).normal(size=n).tolist()


def apply_scores(
    state: BlockState, scores: Iterable[float], rule: BlockRule = RULE, step_ns: int = SECOND
) -> tuple[BlockState, list[Decision]]:
    decisions = []
    for score in map(float, scores):
        state, decision = rule.step(state, score, step_ns)
        decisions.append(decision)
    return state, decisions


def opened(decisions: list[Decision]) -> list[int]:
    return [at for at, decision in enumerate(decisions) if decision.alert == "opens"]


def ready_state(rule: BlockRule = RULE, days: int = 30, location: float = 0.0, spread: float = 1.0) -> BlockState:
    """The state after ``days`` complete days of Gaussian scores."""
    day = BlockMaxima(
        blocks=BLOCKS_PER_DAY,
        peaks=tuple(spread * (4.8 - 0.05 * i) for i in range(rule.plan.maxima_per_day)),
        levels=tuple(spread * (0.8 - 0.01 * i) for i in range(rule.plan.maxima_per_day // 2)),
    )
    reference = Reference(
        location=location,
        spread=spread,
        ceiling=3.5 * spread,
        days=(day,) * min(days, rule.plan.days),
        quarantine=day,
        today=BlockMaxima(),
        hour=BlockMaxima(),
        baseline=location,
        last_day_location=location,
    )
    return rule.refresh_limits(rule.begin()._replace(warm_up=None, reference=reference))
