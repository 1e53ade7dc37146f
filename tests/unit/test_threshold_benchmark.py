"""The benchmark measures the rule that serves, and the page shows what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the benchmark's distributions need scipy")

from benchmarks.thresholds import table
from benchmarks.thresholds.distributions import DISTRIBUTIONS, SECOND, days
from benchmarks.thresholds.rule_run import run_rule
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.budget import budget_plan

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_bulk_processing_equals_single_steps(distribution: str) -> None:
    rule = BlockRule(budget_plan(28.0))
    scores = np.concatenate(list(days(distribution, (3,), 1)))[:50_000]
    scores[30_000:30_500] += 20.0
    scores[40_001] += 300.0
    in_bulk, one_by_one, single_events = rule.begin(), rule.begin(), []
    events = []
    for start in range(0, len(scores), 17_003):
        in_bulk, some = run_rule(rule, in_bulk, scores[start : start + 17_003])
        events += [(start + at, decision) for at, decision in some]
    for at, score in enumerate(scores.tolist()):
        one_by_one, decision = rule.step(one_by_one, score, SECOND)
        if (
            decision.alert in ("opens", "closes")
            or decision.suppressed
            or decision.suppressed_to_report
            or decision.drift_to_report
        ):
            single_events.append((at, decision))

    assert events == single_events
    assert len(events) >= 4
    assert in_bulk == one_by_one


def test_the_page_shows_the_saved_figures() -> None:
    saved = json.loads((ROOT / "benchmarks" / "results" / "thresholds.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "appendix" / "thresholds-measured.md").read_text(encoding="utf-8")
    assert f"\n\n{table.of(saved['figures'])}\n\n" in page
