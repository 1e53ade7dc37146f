"""Stored states: at most 8 KB in every case, and read back unchanged."""

from __future__ import annotations

import secrets
import zlib

import numpy as np
import pytest

from processors.adapters.redis.state_codec import StateTexts, deflate_state, inflate_state
from processors.core.alerting.detector_state import DetectorState, ModelCalibration, Position
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockAccumulator, BlockState, InactiveRegime, Location
from processors.core.threshold.budget import BLOCKS_PER_DAY, READY_DAYS, budget_plan
from processors.core.threshold.episode import ClosedEpisode
from processors.core.threshold.limits import NO_PRIOR
from processors.core.threshold.reference import MAX_RANKED, BlockMaxima, Reference, round_significant
from processors.core.threshold.regime import max_regimes

MOST = 8_192
LOCATION = Location(-12.345678, -12.345678, -12.345678)


def largest(rng: np.random.Generator, n: int) -> tuple[float, ...]:
    """Values of five digits that have nothing in common."""
    return tuple(sorted((round_significant(value) for value in 10.0 ** rng.uniform(-1.0, 2.0, n)), reverse=True))


def reference(rng: np.random.Generator, rule: BlockRule, *, ready: bool) -> Reference:
    """The largest possible: every day, quarantine, and a day and an hour that are nearly complete."""
    count, n = rule.plan.maxima_per_day, rule.plan.days if ready else READY_DAYS - 1
    days = [BlockMaxima(BLOCKS_PER_DAY, largest(rng, count), largest(rng, count // 2)) for _ in range(n + 1)]
    if not ready:
        # All ranked values are of one day.
        days[1] = BlockMaxima(BLOCKS_PER_DAY, largest(rng, MAX_RANKED), largest(rng, MAX_RANKED))
        count = MAX_RANKED
    sums = rng.uniform(1.0, 100.0, 3).tolist()
    return Reference(
        location=-12.345678,
        spread=1.2345,
        ceiling=12.345,
        days=tuple(days[1:]),
        quarantine=days[0],
        today=BlockMaxima(1_380, largest(rng, count), largest(rng, count)),
        hour=BlockMaxima(59, largest(rng, MAX_RANKED), largest(rng, MAX_RANKED), *sums),
        baseline=-12.345678,
        location_sum=-276.123456,
        location_hours=23,
        last_day_location=-12.345678,
        steady_days=123,
    )


def block_state(rng: np.random.Generator, rule: BlockRule, *, ready: bool) -> BlockState:
    """With as many regimes and episodes as a state holds."""
    inactive_regimes = [
        InactiveRegime(f"regime-{i}", None, reference(rng, rule, ready=ready), LOCATION)
        for i in range(max_regimes(rule) - 1)
    ]
    closed = [ClosedEpisode(1_000 + i, int(rng.integers(10**16)), *largest(rng, 4)) for i in range(16)]
    block = BlockAccumulator(10**16, 59 * 10**9, *rng.uniform(0.0, 1e11, 4).tolist(), recent_scores=largest(rng, 16))  # type: ignore[misc]
    state = rule.begin()._replace(
        warm_up=None, reference=reference(rng, rule, ready=ready), inactive_regimes=tuple(inactive_regimes), block=block
    )
    episodes = state.episodes._replace(
        last_number=1_016,
        closed=tuple(closed),
        guard_until_ns=10**16,
        cooldown_until_ns=10**16,
        theoretical_arrival_ns=10**16,
    )
    return rule.refresh_limits(state._replace(episodes=episodes, previous_location=LOCATION, regime="regime-9"))


def swapped(per_week: float, *, ready: bool = True) -> DetectorState:
    """After a change of model, both models with complete references, or of nearly a week."""
    rng, rule = np.random.default_rng(5), BlockRule(budget_plan(per_week))
    now, before = (
        ModelCalibration(secrets.token_hex(32), block_state(rng, rule, ready=ready), NO_PRIOR, per_week)
        for _ in range(2)
    )
    return DetectorState(
        position=Position(secrets.token_hex(16), 10**12),
        past_sessions=tuple(secrets.token_hex(16) for _ in range(16)),
        current_model=now,
        previous_model=before._replace(block_state=before.block_state.compacted()),
        last_feedback_offset=10**9,
    )


@pytest.mark.parametrize("false_alarms_per_week", [0.25, 0.5, 0.84, 1.0, 1.17, 2.0, 28.0])
@pytest.mark.parametrize("ready", [True, False])
def test_no_state_takes_more_than_8_kb(false_alarms_per_week: float, *, ready: bool) -> None:
    state = swapped(false_alarms_per_week, ready=ready)
    body = deflate_state(StateTexts().of(("d1", "machine"), state))

    assert len(body) <= MOST
    assert inflate_state(body) == state


def test_short_states_are_stored_as_text_and_long_ones_deflated() -> None:
    texts = (swapped(1.0).model_dump_json(), DetectorState(last_feedback_offset=7).model_dump_json())
    long, short = (deflate_state(text) for text in texts)

    assert zlib.decompress(long).decode() == texts[0]
    assert short.decode() == texts[1]
    assert deflate_state(f'{{"{"x" * (MOST - 4)}"}}').startswith(b"{")
    assert not deflate_state(f'{{"{"x" * (MOST - 3)}"}}').startswith(b"{")


def test_states_stored_as_text_are_read_however_long_they_are() -> None:
    state = swapped(1.0)
    text = state.model_dump_json().encode()

    assert len(text) > MOST
    assert inflate_state(text) == state


@pytest.mark.parametrize(
    "body", [b"", b"{nonsense", b"nonsense", zlib.compress(b"nonsense"), zlib.compress(b"{}" * 9)[:-5]]
)
def test_what_is_not_a_state_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"nonsense|JSON"):
        inflate_state(body)
