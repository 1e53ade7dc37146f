"""The block rule: stored and loaded anywhere it decides as if undisturbed, and episodes open and close in turn."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.block_rule import BlockRule
from processors.core.block_state import BlockState, Decision, dump, load
from processors.core.regime import entered
from processors.core.sensitivity import BLOCK_NS, plan
from processors.core.verdict import accepted, judged, rolled_back

RULE = BlockRule(plan(28.0), confirm=2, among=3, budget=3)
HOPS = (240_000_000, 960_000_000, 1_000_000_000, BLOCK_NS // 3, BLOCK_NS)


@dataclass(frozen=True)
class Stretch:
    """Scores of one session, and what happens after them."""

    n: int
    level: float
    spread: float
    hop_ns: int
    after: str


stretches = st.lists(
    st.builds(
        Stretch,
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
            return judged(RULE, state, state.book.numbers, after)
        case "normal":
            return accepted(RULE, state)
        case "back":
            return rolled_back(RULE, state)
        case "night" | "day":
            return entered(RULE, state, after)
    return state


def play(parts: list[Stretch], seed: int, restarts: float) -> tuple[BlockState, list[Decision]]:
    """All stretches; the state goes through JSON after a share of the scores."""
    rng, stops = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    state, decisions = RULE.begin(), []
    for part in parts:
        for index, score in enumerate(rng.normal(part.level, part.spread, part.n).tolist()):
            state, decision = RULE.step(state, score, part.hop_ns, fresh=index == 0)
            decisions.append(decision)
            if stops.random() < restarts:
                state = load(dump(state))
        state = act(state, part.after)
        if restarts:
            state = load(dump(state))
    return state, decisions


@settings(max_examples=20, deadline=None)
@given(parts=stretches, seed=st.integers(0, 10_000))
def test_restarts_anywhere_change_no_decision_and_no_state(parts: list[Stretch], seed: int) -> None:
    undisturbed, decisions = play(parts, seed, 0.0)
    restarted, again = play(parts, seed, 0.05)

    assert again == decisions
    assert restarted == undisturbed


@settings(max_examples=20, deadline=None)
@given(parts=stretches, seed=st.integers(0, 10_000))
def test_episodes_open_and_close_in_turn_and_states_stay_small(parts: list[Stretch], seed: int) -> None:
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
