"""The block rule: storing and loading the state anywhere changes no decision, and episodes open and close in turn."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState, Decision, dump, load
from processors.core.threshold.budget import BLOCK_NS, budget_plan
from processors.core.threshold.feedback import accept_as_normal, apply_judgement, undo_acceptance
from processors.core.threshold.regime import enter_regime

RULE = BlockRule(budget_plan(28.0), min_confirmations=2, window_count=3, max_daily_alerts=3)
HOPS = (240_000_000, 960_000_000, 1_000_000_000, BLOCK_NS // 3, BLOCK_NS)


@dataclass(frozen=True)
class ScoreRun:
    """Scores of one session, and the event after them."""

    n: int
    level: float
    spread: float
    hop_ns: int
    after: str


runs = st.lists(
    st.builds(
        ScoreRun,
        n=st.integers(1, 250),
        level=st.sampled_from((0.0, 0.0, 0.0, 0.2, 3.0, 30.0, -5.0)),
        spread=st.sampled_from((0.1, 1.0, 1.0, 4.0)),
        hop_ns=st.sampled_from(HOPS),
        after=st.sampled_from(("", "real", "false-alarm", "normal", "back", "night", "day")),
    ),
    min_size=1,
    max_size=8,
)


def act(state: BlockState, after: str) -> BlockState:
    match after:
        case "real" | "false-alarm":
            return apply_judgement(RULE, state, state.episodes.last_number, after)
        case "normal":
            return accept_as_normal(RULE, state)
        case "back":
            return undo_acceptance(RULE, state)
        case "night" | "day":
            return enter_regime(RULE, state, after)
    return state


def play(parts: list[ScoreRun], seed: int, restarts: float) -> tuple[BlockState, list[Decision]]:
    """All runs; the state goes through JSON after a share of the scores."""
    rng, stops = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    state, decisions = RULE.begin(), []
    for part in parts:
        for index, score in enumerate(rng.normal(part.level, part.spread, part.n).tolist()):
            state, decision = RULE.step(state, score, part.hop_ns, after_gap=index == 0)
            decisions.append(decision)
            if stops.random() < restarts:
                state = load(dump(state))
        state = act(state, part.after)
        if restarts:
            state = load(dump(state))
    return state, decisions


@settings(max_examples=20, deadline=None)
@given(parts=runs, seed=st.integers(0, 10_000))
def test_restarts_anywhere_change_no_decision_and_no_state(parts: list[ScoreRun], seed: int) -> None:
    undisturbed, decisions = play(parts, seed, 0.0)
    restarted, again = play(parts, seed, 0.05)

    assert again == decisions
    assert restarted == undisturbed


@settings(max_examples=20, deadline=None)
@given(parts=runs, seed=st.integers(0, 10_000))
def test_episodes_alternate_and_states_stay_small(parts: list[ScoreRun], seed: int) -> None:
    state, decisions = play([part for part in parts if part.after != "normal"], seed, 0.0)

    steps = [decision.alert for decision in decisions if decision.alert in ("opens", "closes")]
    assert steps == ["opens", "closes"] * (len(steps) // 2) + ["opens"] * (len(steps) % 2)
    numbers = [decision.episode for decision in decisions if decision.alert == "opens"]
    assert numbers == sorted(set(numbers))
    text = dump(state)
    assert len(text) <= 8_192
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)[0] == 1
