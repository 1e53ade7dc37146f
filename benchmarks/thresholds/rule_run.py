"""Runs the serving rule over long score series, processing quiet minutes in bulk.

Between two changes of the thresholds a minute without an exceedance only adds its sums to the reference: numpy computes
these sums for a whole hour at once, in the same order of additions, and the rule's own functions take them. Everything
else, every exceedance, every hour's end and the first hour, goes through ``BlockRule.step`` score by score. A test
asserts that both ways give equal states.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.thresholds.distributions import SECOND, Scores
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockAccumulator, BlockState, Decision
from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_HOUR
from processors.core.threshold.reference import BlockSummary, add_block

PER_BLOCK = BLOCK_NS // SECOND


class RuleRun(NamedTuple):
    """The result of running the rule over scores.

    Attributes:
        state: after the last score.
        events: index and decision of every score that opened, closed or suppressed an alert, or raised a notice.
    """

    state: BlockState
    events: list[tuple[int, Decision]]


def run_rule(rule: BlockRule, state: BlockState, scores: Scores) -> RuleRun:
    """Passes one score a second through the rule."""
    events: list[tuple[int, Decision]] = []
    at = 0
    while at < len(scores):
        state, skipped = _skip_quiet_blocks(rule, state, scores[at:])
        at += skipped
        for score in scores[at : at + PER_BLOCK].tolist():
            state, decision = rule.step(state, score, SECOND)
            if (
                decision.alert in ("opens", "closes")
                or decision.suppressed
                or decision.suppressed_to_report
                or decision.drift_to_report
            ):
                events.append((at, decision))
            at += 1
    return RuleRun(state, events)


def _skip_quiet_blocks(rule: BlockRule, state: BlockState, scores: Scores) -> tuple[BlockState, int]:
    """The state after the quiet minutes at the start of ``scores``, except an hour's last, and the number of scores."""
    block, reference, limits = state.block, state.reference, state.limits
    if (
        reference is None
        or state.warm_up is not None
        or state.episodes.current is not None
        or block.block_ns
        or block.excluded
    ):
        return state, 0
    if rule.window_count > 1 or rule.prior.follows_device or state.episodes.suppressed:
        return state, 0
    n = min(BLOCKS_PER_HOUR - 1 - reference.hour.blocks, len(scores) // PER_BLOCK)
    if n <= 0:
        return state, 0
    r = scores[: n * PER_BLOCK].reshape(n, PER_BLOCK) - limits.location
    cut = np.minimum(r, limits.ceiling)
    totals = np.cumsum(cut * SECOND, axis=1)
    levels = totals.max(axis=1) / BLOCK_NS
    peaks = r.max(axis=1)
    loud = np.flatnonzero((peaks > limits.peak) | (levels > limits.level))
    n = int(loud[0]) if len(loud) else n
    if n == 0:
        return state, 0
    squares = np.cumsum(cut * cut * SECOND, axis=1)[:, -1] / BLOCK_NS
    hour = reference.hour
    means = totals[:, -1] / BLOCK_NS
    for summary in zip(means[:n].tolist(), squares[:n].tolist(), peaks[:n].tolist(), levels[:n].tolist(), strict=True):
        hour = add_block(hour, BlockSummary(*summary))
    after = BlockAccumulator(observed_ns=block.observed_ns + n * BLOCK_NS)
    return state._replace(block=after, reference=reference._replace(hour=hour)), n * PER_BLOCK
