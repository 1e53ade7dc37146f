"""The rows of the table: each a function of a few numbers, so that processes can share them out."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.threshold_runs.laws import DAY, LAWS, SD, SECOND, Scores, days
from benchmarks.threshold_runs.scenes import HOUR, Outcome, cycle, drift, hear, play, storm
from benchmarks.threshold_runs.serve import serve
from processors.core.block_rule import BlockRule
from processors.core.block_state import BlockState, dump
from processors.core.limits import prior_of
from processors.core.regime import entered
from processors.core.sensitivity import plan
from schemas.manifest import Calibration

Figures = dict[str, Any]

_RELATIVE = Calibration(transfer="relative", threshold=0.0, spread=1e-6, n=1, quantiles={})
DURATIONS = (1, 3, 5)
SIZES = tuple(range(2, 61, 2))
_COMMISSIONED = 10


def promise(law: str, seed: int, per_week: float, n: int) -> Figures:
    """One unjudged device for ``n`` days: alerts on each day."""
    rule, outcome = BlockRule(plan(per_week)), Outcome()
    state = rule.begin()
    for day, scores in enumerate(days(law, (seed, LAWS.index(law)), n)):
        state = hear(rule, state, outcome, day * DAY, scores)
    return {
        "alerts": outcome.a_day(n).tolist(),
        "levels": sum(kind == "level" for kind in outcome.kinds),
        "first_hour": sum(at < HOUR for at in outcome.opened),
        "notices": len(outcome.drifts),
        "state_bytes": len(dump(state)),
        "peak": round(state.limits.peak / SD[law], 3),
        "level": round(state.limits.level / SD[law], 3),
    }


def from_prior(law: str, seed: int, n: int) -> Figures:
    """As :func:`promise`, where ten devices of the same kind were heard for eight days before."""
    chosen = plan(1.0)
    references = []
    for device in range(_COMMISSIONED):
        state = BlockRule(chosen).begin()
        for scores in days(law, (seed, device, 1), 8):
            state, _ = serve(BlockRule(chosen), state, scores)
        if state.reference is not None:
            references.append(state.reference)
    rule = BlockRule(chosen, prior_of(_RELATIVE, references, chosen))
    counts, recalls = [], []
    for device in range(_COMMISSIONED):
        counts.append(play(rule, law, (seed, device, 2), n).a_day(n).tolist())
        recalls.append(recall_after(rule, law, (seed, device, 3), HOUR))
    return {"alerts": counts, "recall": np.mean(recalls, axis=0).round(3).tolist()}


def recall_after(rule: BlockRule, law: str, seed: tuple[int, ...], heard: int) -> list[list[float]]:
    """Share of events found once a device has been heard for ``heard`` seconds: (durations, sizes)."""
    state, events = rule.begin(), np.random.default_rng((*seed, 4))
    for day, scores in enumerate(days(law, seed, -(-heard // DAY))):
        state, _ = serve(rule, state, scores[: heard - day * DAY])
    normal = next(days(law, (*seed, 5), 1))
    found = np.zeros((len(DURATIONS), len(SIZES)))
    tries = 5
    for i, duration in enumerate(DURATIONS):
        for j, size in enumerate(SIZES):
            for _ in range(tries):
                at = int(events.integers(0, DAY - duration))
                found[i, j] += _is_found(rule, state, normal[at : at + duration] + size * SD[law])
    return [list(row) for row in found / tries]


def _is_found(rule: BlockRule, state: BlockState, event: Scores) -> bool:
    for score in event.tolist():
        state, decision = rule.step(state, score, SECOND)
        if decision.alert != "none":
            return True
    return False


def recall(law: str, seed: int, per_week: float, heard: int) -> list[list[float]]:
    """See :func:`recall_after`, with the rule alone."""
    return recall_after(BlockRule(plan(per_week)), law, (seed, 6), heard)


def storms(law: str, seed: int, heard: int) -> Figures:
    """Two storms of +4 sd and 30 minutes, six hours apart, the first after ``heard`` seconds (and a random minute)."""
    rule, outcome = BlockRule(plan(1.0)), Outcome()
    start = heard + 37 * seed % 60
    starts = (start, start + 6 * HOUR)
    state, before, after = rule.begin(), None, None
    stream = np.concatenate(list(days(law, (seed, 7), (starts[1] + HOUR) // DAY + 1)))
    for at in starts:
        stream = storm(law, at)(0, stream)
    at = 0
    for end in (starts[0], starts[0] + 1_800 + HOUR, starts[1], starts[1] + 1_800 + 600):
        state = hear(rule, state, outcome, at, stream[at:end])
        if end == starts[0]:
            before = state.limits.peak
        if end == starts[0] + 1_800 + HOUR:
            after = state.limits.peak
        at = end
    return {
        "open_share": [outcome.open_share(at, 1_800) for at in starts],
        "delay": [_delay(outcome, at) for at in starts],
        "moved": None if not before or not after else abs(after - before) / before,
    }


def _delay(outcome: Outcome, start: int) -> int | None:
    """Seconds from a storm's beginning to the alert; 0 where one was open, None where none came."""
    closed = [*outcome.closed, *[start + 1_800] * (len(outcome.opened) - len(outcome.closed))]
    reached = [
        max(0, o - start) for o, c in zip(outcome.opened, closed, strict=True) if o < start + 1_800 and c > start
    ]
    return min(reached, default=None)


def drifting(law: str, seed: int) -> Figures:
    """Eight clean days, five of drift at 1.5 sd a day, five at the new place."""
    outcome = play(BlockRule(plan(1.0)), law, (seed, 8), 18, drift(law, 8))
    return {
        "alerts": outcome.a_day(18)[8:13].tolist(),
        "notices": len(outcome.drifts),
        "after": outcome.a_day(18)[13:].tolist(),
    }


def cycling(law: str, seed: int) -> Figures:
    """Three weeks with a daily cycle of +- 1 sd: alerts on each day."""
    outcome = play(BlockRule(plan(1.0)), law, (seed, 9), 21, cycle(law))
    return {"alerts": outcome.a_day(21).tolist(), "notices": len(outcome.drifts)}


def contaminated(kind: str, seed: int) -> Figures:
    """Gamma(4, 1), a fault in the eleventh hour of calibration; the same fault on the ninth day, found or not.

    ``storm`` is +4 sd for the whole hour, ``events`` +12 sd for three seconds every two minutes of it.
    """
    rule = BlockRule(plan(1.0))
    first, second = 10 * HOUR, 8 * DAY + 10 * HOUR
    stream = np.concatenate(list(days("gamma", (seed, 10), 9)))
    found = Outcome()
    for start, length in ((first, HOUR), (second, 1_800)):
        if kind == "storm":
            stream = storm("gamma", start, length)(0, stream)
        else:
            for at in range(start, start + length, 120):
                stream[at : at + 3] += 12.0 * SD["gamma"]
    hear(rule, rule.begin(), found, 0, stream[: second + 3_600])
    return {
        "found": _delay(found, second) is not None,
        "delay": _delay(found, second),
        "in_calibration": _delay(found, first),
    }


def cost() -> Figures:
    """Microseconds of processor time of ``BlockRule.step`` a score, and bytes of state; the least of seven runs."""
    rule = BlockRule(plan(1.0))
    state = rule.begin()
    for scores in days("gamma", (1,), 9):
        state, _ = serve(rule, state, scores)
    hour = next(days("gamma", (2,), 1))[:HOUR].tolist()
    several = state
    for tag in ("night", "shift", "third"):
        several = entered(rule, several, tag)
        for day in days("gamma", (4,), rule.plan.days + 2):
            several, _ = serve(rule, several, day)
    return {
        "us_a_score": _microseconds(rule, state, hour),
        "us_a_score_2_of_3": _microseconds(BlockRule(plan(1.0), confirm=2, among=3), state, hour),
        "us_a_score_first_hour": _microseconds(rule, rule.begin(), hour),
        "state_bytes_most_regimes": len(dump(several)),
        "regimes": 1 + len(several.shelf),
    }


def _microseconds(rule: BlockRule, state: BlockState, scores: list[float]) -> float:
    taken = []
    for _ in range(7):
        here, began = state, time.process_time()
        for score in scores:
            here, _ = rule.step(here, score, SECOND)
        taken.append((time.process_time() - began) / len(scores) * 1e6)
    return round(min(taken), 2)
