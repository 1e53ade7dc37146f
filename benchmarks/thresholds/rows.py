"""The rows of the table: each a function of plain numbers, so that a process pool can run them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.thresholds.distributions import DAY, DISTRIBUTIONS, SD, SECOND, Scores, days
from benchmarks.thresholds.rule_run import run_rule
from benchmarks.thresholds.scenarios import HOUR, SimulationResult, cycle, drift, observe, simulate, sustained_fault
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState, dump
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.limits import prior_of
from processors.core.threshold.regime import enter_regime
from schemas.manifest import Calibration

Figures = dict[str, Any]

_RELATIVE = Calibration(transfer="relative", threshold=0.0, spread=1e-6, n=1, quantiles={})
DURATIONS = (1, 3, 5)
SIZES = tuple(range(2, 61, 2))
_PEERS = 10


def alerts_by_day(distribution: str, seed: int, per_week: float, n: int) -> Figures:
    """One device without operator feedback for ``n`` days: alerts on each day."""
    rule, result = BlockRule(budget_plan(per_week)), SimulationResult()
    state = rule.begin()
    for day, scores in enumerate(days(distribution, (seed, DISTRIBUTIONS.index(distribution)), n)):
        state = observe(rule, state, result, day * DAY, scores)
    return {
        "alerts": result.alerts_per_day(n).tolist(),
        "levels": sum(kind == "level" for kind in result.kinds),
        "first_hour": sum(at < HOUR for at in result.opened),
        "notices": len(result.drifts),
        "state_bytes": len(dump(state)),
        "peak": round(state.limits.peak / SD[distribution], 3),
        "level": round(state.limits.level / SD[distribution], 3),
    }


def with_prior(distribution: str, seed: int, n: int) -> Figures:
    """As :func:`alerts_by_day`, with a prior from ten devices of the same kind that ran for eight days before."""
    chosen = budget_plan(1.0)
    references = []
    for device in range(_PEERS):
        state = BlockRule(chosen).begin()
        for scores in days(distribution, (seed, device, 1), 8):
            state, _ = run_rule(BlockRule(chosen), state, scores)
        if state.reference is not None:
            references.append(state.reference)
    rule = BlockRule(chosen, prior_of(_RELATIVE, references, chosen))
    counts, recalls = [], []
    for device in range(_PEERS):
        counts.append(simulate(rule, distribution, (seed, device, 2), n).alerts_per_day(n).tolist())
        recalls.append(recall_after(rule, distribution, (seed, device, 3), HOUR))
    return {"alerts": counts, "recall": np.mean(recalls, axis=0).round(3).tolist()}


def recall_after(rule: BlockRule, distribution: str, seed: tuple[int, ...], observed: int) -> list[list[float]]:
    """Share of events found after a device was observed for ``observed`` seconds: (durations, sizes)."""
    state, events = rule.begin(), np.random.default_rng((*seed, 4))
    for day, scores in enumerate(days(distribution, seed, -(-observed // DAY))):
        state, _ = run_rule(rule, state, scores[: observed - day * DAY])
    normal = next(days(distribution, (*seed, 5), 1))
    found = np.zeros((len(DURATIONS), len(SIZES)))
    tries = 5
    for i, duration in enumerate(DURATIONS):
        for j, size in enumerate(SIZES):
            for _ in range(tries):
                at = int(events.integers(0, DAY - duration))
                found[i, j] += _is_found(rule, state, normal[at : at + duration] + size * SD[distribution])
    return [list(row) for row in found / tries]


def _is_found(rule: BlockRule, state: BlockState, event: Scores) -> bool:
    for score in event.tolist():
        state, decision = rule.step(state, score, SECOND)
        if decision.alert != "none":
            return True
    return False


def recall(distribution: str, seed: int, per_week: float, observed: int) -> list[list[float]]:
    """See :func:`recall_after`, without a prior."""
    return recall_after(BlockRule(budget_plan(per_week)), distribution, (seed, 6), observed)


def sustained_faults(distribution: str, seed: int, observed: int) -> Figures:
    """Two faults of +4 sd for 30 minutes, six hours apart, the first after ``observed`` seconds and up to a minute."""
    rule, result = BlockRule(budget_plan(1.0)), SimulationResult()
    start = observed + 37 * seed % 60
    starts = (start, start + 6 * HOUR)
    state, before, after = rule.begin(), None, None
    stream = np.concatenate(list(days(distribution, (seed, 7), (starts[1] + HOUR) // DAY + 1)))
    for at in starts:
        stream = sustained_fault(distribution, at)(0, stream)
    at = 0
    for end in (starts[0], starts[0] + 1_800 + HOUR, starts[1], starts[1] + 1_800 + 600):
        state = observe(rule, state, result, at, stream[at:end])
        if end == starts[0]:
            before = state.limits.peak
        if end == starts[0] + 1_800 + HOUR:
            after = state.limits.peak
        at = end
    return {
        "open_share": [result.open_share(at, 1_800) for at in starts],
        "delay": [_delay(result, at) for at in starts],
        "shift": None if not before or not after else abs(after - before) / before,
    }


def _delay(result: SimulationResult, start: int) -> int | None:
    """Seconds from a fault's start to the alert; 0 if one was open already, None if none was raised."""
    closed = [*result.closed, *[start + 1_800] * (len(result.opened) - len(result.closed))]
    reached = [max(0, o - start) for o, c in zip(result.opened, closed, strict=True) if o < start + 1_800 and c > start]
    return min(reached, default=None)


def drifting(distribution: str, seed: int) -> Figures:
    """Eight clean days, five of drift at 1.5 sd a day, five at the new level."""
    result = simulate(BlockRule(budget_plan(1.0)), distribution, (seed, 8), 18, drift(distribution, 8))
    return {
        "alerts": result.alerts_per_day(18)[8:13].tolist(),
        "notices": len(result.drifts),
        "after": result.alerts_per_day(18)[13:].tolist(),
    }


def daily_cycle(distribution: str, seed: int) -> Figures:
    """Three weeks with a daily cycle of +- 1 sd: alerts on each day."""
    result = simulate(BlockRule(budget_plan(1.0)), distribution, (seed, 9), 21, cycle(distribution))
    return {"alerts": result.alerts_per_day(21).tolist(), "notices": len(result.drifts)}


def contaminated(kind: str, seed: int) -> Figures:
    """Gamma(4, 1) with a fault in the eleventh hour of calibration, and whether the same fault is found on day nine.

    ``sustained fault`` is +4 sd for the whole hour, ``events`` +12 sd for three seconds every two minutes of it.
    """
    rule = BlockRule(budget_plan(1.0))
    first, second = 10 * HOUR, 8 * DAY + 10 * HOUR
    stream = np.concatenate(list(days("gamma", (seed, 10), 9)))
    found = SimulationResult()
    for start, length in ((first, HOUR), (second, 1_800)):
        if kind == "sustained fault":
            stream = sustained_fault("gamma", start, length)(0, stream)
        else:
            for at in range(start, start + length, 120):
                stream[at : at + 3] += 12.0 * SD["gamma"]
    observe(rule, rule.begin(), found, 0, stream[: second + 3_600])
    return {
        "found": _delay(found, second) is not None,
        "delay": _delay(found, second),
        "in_calibration": _delay(found, first),
    }


def cost() -> Figures:
    """CPU time of ``BlockRule.step`` per score, microseconds, the minimum of seven runs; and bytes of state."""
    rule = BlockRule(budget_plan(1.0))
    state = rule.begin()
    for scores in days("gamma", (1,), 9):
        state, _ = run_rule(rule, state, scores)
    hour = next(days("gamma", (2,), 1))[:HOUR].tolist()
    several = state
    for regime in ("night", "shift", "third"):
        several = enter_regime(rule, several, regime)
        for day in days("gamma", (4,), rule.plan.days + 2):
            several, _ = run_rule(rule, several, day)
    return {
        "us_a_score": _microseconds(rule, state, hour),
        "us_a_score_2_of_3": _microseconds(
            BlockRule(budget_plan(1.0), min_confirmations=2, window_count=3), state, hour
        ),
        "us_a_score_first_hour": _microseconds(rule, rule.begin(), hour),
        "state_bytes_most_regimes": len(dump(several)),
        "regimes": 1 + len(several.inactive_regimes),
    }


def _microseconds(rule: BlockRule, state: BlockState, scores: list[float]) -> float:
    taken = []
    for _ in range(7):
        here, began = state, time.process_time()
        for score in scores:
            here, _ = rule.step(here, score, SECOND)
        taken.append((time.process_time() - began) / len(scores) * 1e6)
    return round(min(taken), 2)
