"""The benchmark measures the rule that serves, and the page shows what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the benchmark's laws need scipy")

from benchmarks.thresholds import table
from benchmarks.thresholds.laws import LAWS, SECOND, days
from benchmarks.thresholds.serve import serve
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.budget import budget_plan

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("law", LAWS)
def test_quiet_minutes_in_bulk_are_the_same_minutes(law: str) -> None:
    rule = BlockRule(budget_plan(28.0))
    scores = np.concatenate(list(days(law, (3,), 1)))[:50_000]
    scores[30_000:30_500] += 20.0
    scores[40_001] += 300.0
    served, one_by_one, told = rule.begin(), rule.begin(), []
    events = []
    for start in range(0, len(scores), 17_003):
        served, some = serve(rule, served, scores[start : start + 17_003])
        events += [(start + at, decision) for at, decision in some]
    for at, score in enumerate(scores.tolist()):
        one_by_one, decision = rule.step(one_by_one, score, SECOND)
        if (
            decision.alert in ("opens", "closes")
            or decision.suppressed
            or decision.suppressed_to_report
            or decision.drift_to_report
        ):
            told.append((at, decision))

    assert events == told
    assert len(events) >= 4
    assert served == one_by_one


def test_the_page_shows_the_kept_figures() -> None:
    kept = json.loads((ROOT / "benchmarks" / "results" / "thresholds.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "thresholds.md").read_text(encoding="utf-8")
    assert f"\n\n{table.of(kept['figures'])}\n\n" in page
